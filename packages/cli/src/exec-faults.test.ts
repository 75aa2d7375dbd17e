import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { issuerAt } from './issuer.ts';
import { given, runMayfly, temporaryDirectory } from './run-in-test.ts';
import { type StandInIssuer, startStandInIssuer } from './stand-in-issuer.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

async function goneIssuer(): Promise<StandInIssuer> {
  await using issuer = await startStandInIssuer();
  return issuer;
}

const FAULTS: [string, string[], (issuer: StandInIssuer) => object | Promise<object>, number, RegExp][] = [
  ['no grant', ['--', 'true'], () => ({}), 3, /^mayfly: no grant: let the build declare id_tokens.*\n$/],
  [
    'half a grant',
    ['--', 'true'],
    () => ({ VELA_ID_TOKEN_REQUEST_URL: 'http://x?' }),
    3,
    /VELA_ID_TOKEN_REQUEST_TOKEN is not set/,
  ],
  ['no command', [], given, 2, /no command/],
  ['an unknown option', ['--frob', '--', 'true'], given, 2, /--frob.*see mayfly exec --help/],
  [
    'a short secret',
    ['--mask', 'PIN', '--', 'true'],
    (issuer) => ({ ...given(issuer), PIN: '1234567' }),
    6,
    /PIN has fewer than 8/,
  ],
  [
    "Google's executable without a way to tokens",
    ['--config', 'x.yml', '--google-provider', 'p', '--google-executable', '--', 'true'],
    given,
    2,
    /--google-executable asks for tokens.*leave it out/,
  ],
  ['a command that is not there', ['--', '/no/such'], given, 127, /\/no\/such is not there/],
  [
    'a refused audience',
    ['--id-token', 'V=forbidden', '--', 'true'],
    given,
    4,
    /invalid_target.*mayfly\.yaml/,
  ],
  [
    'a wrong request token',
    ['--id-token', 'V=v', '--', 'true'],
    (issuer) => ({ ...given(issuer), MAYFLY_ID_TOKEN_REQUEST_TOKEN: 'not the right one' }),
    4,
    /start a new build/,
  ],
  [
    'nobody at the address',
    ['--timeout', '0', '--id-token', 'V=v', '--', 'true'],
    async () => ({ ...given(await goneIssuer()) }),
    5,
    /cannot be reached \(ECONNREFUSED\)/,
  ],
];

test.each(FAULTS)(
  '%s is told in one line, with an exit code of its own, and nothing is left behind',
  async (_, args, env, code, line) => {
    await using issuer = await startStandInIssuer();

    const result = await runMayfly(['exec', ...args], {
      env: (await env(issuer)) as Record<string, string>,
    });

    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(line);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(result.stderr).not.toContain(issuer.requestToken);
    expect(readdirSync(result.runtimeDirectory)).toEqual([]);
  },
);

test('a grant that has expired, is cut short or is something else is refused without being quoted', async () => {
  await using issuer = await startStandInIssuer();
  const whole = JSON.stringify(issuer.grant({ VAULT: 'v' }));
  const file = join(temporaryDirectory(), 'grant.json');
  for (const [text, line] of [
    [JSON.stringify(issuer.grant({ VAULT: 'v' }, 1_000)), /expired with its build: start a new build/],
    [whole.slice(0, -20), /it is not JSON/],
    [whole.replace('id_token_request_url', 'url'), /not what an issuer grants/],
  ] as const) {
    writeFileSync(file, text);

    const { code, stderr } = await runMayfly(['exec', '--grant', file, '--', 'true']);

    expect(code).toBe(3);
    expect(stderr).toMatch(line);
    expect(issuer.given.some((token) => stderr.includes(token.slice(-20)))).toBe(false);
    expect(stderr).not.toContain(issuer.requestToken);
  }
});

test('a runtime directory whose name is too long for a socket is left for another place', async () => {
  await using issuer = await startStandInIssuer();
  const long = join(temporaryDirectory(), 'x'.repeat(80));
  mkdirSync(long);

  const result = await runMayfly(
    ['exec', '--', process.execPath, '-e', 'console.log(process.env.MAYFLY_MASK_SOCKET)'],
    { env: { ...given(issuer), XDG_RUNTIME_DIR: long } },
  );

  expect(result).toMatchObject({ code: 0, stderr: '' });
  expect(result.stdout).toMatch(/mask\.sock\n$/);
  expect(result.stdout).not.toContain(long);
});

test('an issuer that takes the question and never answers is waited for no longer than was told', async () => {
  const server = createServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const started = performance.now();

  const asked = issuerAt(
    { requestUrl: `http://127.0.0.1:${port}/token?x`, requestToken: 'mfr' },
    { timeoutMs: 300 },
  ).issue({ audiences: ['v'] });

  await expect(asked).rejects.toMatchObject({ failure: 'unreachable' });
  expect(performance.now() - started).toBeLessThan(5000);
});

test('the issuer is asked by way of the proxy that the environment names, and the relay of a step is not', async () => {
  await using issuer = await startStandInIssuer();
  const asked: string[] = [];
  const proxy = createHttpServer();
  // Node asks a proxy for a tunnel, to a server without TLS too.
  proxy.on('connect', (request, socket: Socket) => {
    asked.push(request.url ?? '');
    const upstream = connect(Number(new URL(issuer.requestUrl).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    for (const one of [socket, upstream]) one.on('error', () => undefined);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const { port } = proxy.address() as AddressInfo;
  const env = {
    ...given(issuer),
    MAYFLY_ID_TOKEN_REQUEST_URL: 'http://issuer.example/token?api-version=1',
    // Without a scheme, as many write it.
    HTTP_PROXY: `127.0.0.1:${port}`,
  };

  const { code, stdout } = await runMayfly(
    ['exec', '--', process.execPath, MAIN, 'token', '--audience', 'v'],
    { env },
  );

  expect({ code, stdout }).toEqual({ code: 0, stdout: '***\n' });
  const here = { ...env, MAYFLY_ID_TOKEN_REQUEST_URL: issuer.requestUrl.replace('127.0.0.1', 'localhost') };
  expect((await runMayfly(['token', '--audience', 'w'], { env: here })).code).toBe(0);
  expect(asked).toEqual(['issuer.example:80']);
  expect(issuer.asked.map(({ searchParams }) => searchParams.get('audience'))).toEqual(['v', 'w']);
});

test.each(['ftp://proxy', 'http://user:pa/ss@proxy:3128', 'http://u:100%zz@proxy:3128'])(
  'a proxy that is none (%s) keeps nobody from anything, and its password is not told',
  async (HTTP_PROXY) => {
    await using issuer = await startStandInIssuer();
    const env = { ...given(issuer), HTTP_PROXY };

    const { code, stdout, stderr } = await runMayfly(['token', '--audience', 'v'], { env });

    expect([code, stdout.split('.').length]).toEqual([0, 3]);
    expect(stderr).toBe(
      'mayfly: HTTP_PROXY is no address of a proxy, such as http://proxy.example:3128, and is not heeded\n',
    );
  },
);
