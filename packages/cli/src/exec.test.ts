import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, runMayfly, startMayfly } from './run-in-test.ts';
import { type StandInIssuer, startStandInIssuer } from './stand-in-issuer.ts';

const NODE = process.execPath;

const script = (code: string) => ['--', NODE, '-e', code];

const given = ({ requestUrl, requestToken }: StandInIssuer) => ({
  MAYFLY_ID_TOKEN_REQUEST_URL: requestUrl,
  MAYFLY_ID_TOKEN_REQUEST_TOKEN: requestToken,
});

const printFacts = script(`
  const fs = require('fs'), path = process.env.VAULT_FILE
  console.log(JSON.stringify({
    same: fs.readFileSync(path, 'utf8') === process.env.VAULT,
    mode: (fs.statSync(path).mode & 0o777).toString(8),
    directory: (fs.statSync(require('path').dirname(path)).mode & 0o777).toString(8),
    path, length: process.env.VAULT.length,
  }))`);

test('a declared token is in $NAME and in a private file at $NAME_FILE, which is gone afterwards', async () => {
  await using issuer = await startStandInIssuer();
  const input = JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' }));

  const { code, stdout, stderr, runtimeDirectory } = await runMayfly(
    ['exec', '--grant', '-', ...printFacts],
    { input },
  );

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const facts = JSON.parse(stdout);
  expect(facts).toMatchObject({ same: true, mode: '600', directory: '700', length: issuer.given[0]?.length });
  expect(facts.path.startsWith(`${runtimeDirectory}/mayfly-`)).toBe(true);
  expect(readdirSync(runtimeDirectory)).toEqual([]);
});

test.each(['MAYFLY', 'ACTIONS', 'VELA'])(
  'a grant under the names of %s is found, and offered under all three',
  async (prefix) => {
    await using issuer = await startStandInIssuer();
    const env = {
      [`${prefix}_ID_TOKEN_REQUEST_URL`]: issuer.requestUrl,
      [`${prefix}_ID_TOKEN_REQUEST_TOKEN`]: issuer.requestToken,
    };
    const code = `
    const all = ['MAYFLY', 'ACTIONS', 'VELA'].map((name) => [process.env[name + '_ID_TOKEN_REQUEST_URL'], process.env[name + '_ID_TOKEN_REQUEST_TOKEN'].length])
    console.log(JSON.stringify([all, process.env.VAULT.split('.').length]))`;

    const result = await runMayfly(['exec', '--id-token', 'VAULT=https://vault.example', ...script(code)], {
      env,
    });

    const one = [issuer.requestUrl, issuer.requestToken.length];
    expect(JSON.parse(result.stdout)).toEqual([[one, one, one], 3]);
    expect(issuer.asked[0]?.searchParams.get('audience')).toBe('https://vault.example');
  },
);

test('the file is replaced while the command runs, and the new token is masked too', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.lifetimeSeconds = 3;
  const input = JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' }));
  const code = `
    const fs = require('fs'), file = process.env.VAULT_FILE
    const read = () => fs.readFileSync(file, 'utf8')
    const timer = setInterval(() => { if (read() !== process.env.VAULT) { clearInterval(timer); console.log('new: ' + read()) } }, 10)`;

  const { stdout } = await runMayfly(['exec', '--grant', '-', ...script(code)], { input });

  expect(stdout).toBe('new: ***\n');
  expect(issuer.given).toHaveLength(2);
});

test('a refresh is tried again while the issuer cannot answer, and given up when the build is over', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.lifetimeSeconds = 2;
  issuer.state.refusesNext = 2;
  const { output, child, ended } = startMayfly(
    ['exec', '--grant', '-', ...script('setInterval(() => {}, 1000)')],
    {
      input: JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' })),
    },
  );
  await eventually(() => issuer.given.length >= 2);

  issuer.state.isFinished = true;
  await eventually(() => output.stderr.includes('invalid_token'));
  child.kill('SIGTERM');

  expect((await ended).code).toBe(143);
  expect(output.stderr.match(/could not be refreshed/g)).toHaveLength(3);
}, 30_000);

test('what the user has set under the same name wins, with a warning', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), VAULT: 'my own', AWS_WEB_IDENTITY_TOKEN_FILE: '/my/own' };
  const code = 'console.log(process.env.VAULT, process.env.AWS_WEB_IDENTITY_TOKEN_FILE)';
  const args = ['--id-token', 'VAULT=v', '--aws-role', 'arn:aws:iam::1:role/r'];

  const { stdout, stderr } = await runMayfly(['exec', ...args, ...script(code)], { env });

  expect(stdout).toBe('my own /my/own\n');
  expect(stderr).toContain('mayfly: VAULT is set already and stays as it is');
  expect(stderr).toContain('mayfly: AWS_WEB_IDENTITY_TOKEN_FILE is set already');
});

test('the three clouds find what their SDKs read', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), AZURE_CLIENT_ID: 'client', AZURE_TENANT_ID: 'tenant' };
  const args = ['--aws-role', 'arn:aws:iam::1:role/r', '--google-provider', 'projects/1/p', '--azure'];
  const code = `
    const { readFileSync } = require('fs'), e = process.env
    const google = JSON.parse(readFileSync(e.GOOGLE_APPLICATION_CREDENTIALS))
    const audience = (file) => JSON.parse(Buffer.from(readFileSync(file, 'utf8').split('.')[1], 'base64')).aud
    console.log(JSON.stringify({ google, audiences: [e.AWS_WEB_IDENTITY_TOKEN_FILE, google.credential_source.file, e.AZURE_FEDERATED_TOKEN_FILE].map(audience),
      rest: [e.AWS_ROLE_ARN, e.AWS_ROLE_SESSION_NAME, e.AZURE_CLIENT_ID, e.AZURE_TENANT_ID] }))`;

  const { stdout } = await runMayfly(['exec', ...args, ...script(code)], { env });

  const { google, audiences, rest } = JSON.parse(stdout);
  expect(audiences).toEqual([
    'sts.amazonaws.com',
    'https://iam.googleapis.com/projects/1/p',
    'api://AzureADTokenExchange',
  ]);
  expect(rest).toEqual(['arn:aws:iam::1:role/r', 'mayfly-42', 'client', 'tenant']);
  expect(google).toMatchObject({
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/p',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
});

test("the command for Google's SDK prints a token, which is masked before it is printed", async () => {
  await using issuer = await startStandInIssuer();
  const args = ['--google-provider', 'projects/1/p', '--google-executable'];
  const code = `
    const { command } = JSON.parse(require('fs').readFileSync(process.env.GOOGLE_APPLICATION_CREDENTIALS)).credential_source.executable
    const answer = JSON.parse(require('child_process').execSync(command))
    console.log(answer.token_type, answer.success, answer.version, answer.expiration_time > 0, answer.id_token)`;

  const { stdout } = await runMayfly(['exec', ...args, ...script(code)], { env: given(issuer) });

  expect(stdout).toBe('urn:ietf:params:oauth:token-type:jwt true 1 true ***\n');
});

test('exit code, standard input and arguments pass through', async () => {
  await using issuer = await startStandInIssuer();
  const code =
    'process.stdin.on("data", (d) => process.stdout.write(d)).on("end", () => { console.error(process.argv[1]); process.exitCode = 42 })';

  const result = await runMayfly(['exec', ...script(code), 'a b'], { env: given(issuer), input: 'hello' });

  expect(result).toMatchObject({ code: 42, stdout: 'hello', stderr: 'a b\n' });
});

test('a signal reaches the command, and the files are gone whether it heeds it or dies of it', async () => {
  await using issuer = await startStandInIssuer();
  for (const [handler, code] of [
    ['process.on("SIGTERM", () => process.exit(7));', 7],
    ['', 143],
  ] as const) {
    const { child, output, ended, runtimeDirectory } = startMayfly(
      [
        'exec',
        '--id-token',
        'VAULT=v',
        ...script(`${handler} setInterval(() => {}, 1000); console.log('ready')`),
      ],
      { env: given(issuer) },
    );
    await eventually(() => output.stdout.includes('ready'));
    expect(readdirSync(runtimeDirectory)).toHaveLength(1);

    child.kill('SIGTERM');

    expect((await ended).code).toBe(code);
    expect(readdirSync(runtimeDirectory)).toEqual([]);
  }
});

test('a signal before the command runs ends the wait for the issuer', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.refusesNext = Number.POSITIVE_INFINITY;
  const { child, ended, runtimeDirectory } = startMayfly(['exec', '--id-token', 'VAULT=v', '--', 'true'], {
    env: given(issuer),
  });
  await eventually(() => issuer.asked.length > 0);

  child.kill('SIGINT');

  expect((await ended).code).toBe(130);
  expect(readdirSync(runtimeDirectory)).toEqual([]);
});

test('token files are never below the work directory', async () => {
  await using issuer = await startStandInIssuer();
  const cwd = mkdtempSync(join(tmpdir(), 'work-'));
  const env = { ...given(issuer), XDG_RUNTIME_DIR: cwd, TMPDIR: cwd };

  const { stdout } = await runMayfly(
    ['exec', '--id-token', 'V=v', ...script('console.log(process.env.V_FILE)')],
    { env, cwd },
  );

  expect(stdout).toMatch(/^\/dev\/shm\/mayfly-/);
  expect(readdirSync(cwd)).toEqual([]);
});

test('tokens and named secrets are masked in output and errors, and a prompt is shown at once', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), DB_PASSWORD: 'correct horse battery staple' };
  const code = `
    process.stderr.write(Buffer.from(process.env.VAULT).toString('base64') + '\\n')
    process.stdout.write(process.env.DB_PASSWORD + ' ' + process.env.MAYFLY_ID_TOKEN_REQUEST_TOKEN + ' ' + process.env.VAULT.slice(0, 40))
    process.stdout.write(process.env.VAULT.slice(40) + '\\nName? ')
    process.stdin.on('data', () => process.exit())`;
  const args = ['exec', '--id-token', 'VAULT=v', '--mask', 'DB_PASSWORD', ...script(code)];
  const { child, output, ended } = startMayfly(args, { env });

  await eventually(() => output.stdout.endsWith('Name? '));
  child.stdin.end('x');

  expect(await ended).toMatchObject({ stdout: '*** *** ***\nName? ' });
  expect(output.stderr).toMatch(/^\*\*\*=*\n$/);
});

test.each([
  ['spaced out', "process.env.VAULT.split('').join(' ')"],
  ['compressed with gzip', "require('zlib').gzipSync(process.env.VAULT).toString('base64')"],
  [
    'base64 three times or more',
    '[1, 2, 3].reduce((text) => Buffer.from(text).toString("base64"), process.env.VAULT)',
  ],
  [
    'a hex dump',
    "require('child_process').execSync('od -A x -t x1', { input: process.env.VAULT }).toString()",
  ],
])(
  'a token that stands in the output %s is reported within a second, while the step runs',
  async (form, expression) => {
    await using issuer = await startStandInIssuer();
    const { child, output, ended } = startMayfly(
      ['exec', '--id-token', 'VAULT=v', ...script(`console.log(${expression}); setInterval(() => {}, 1000)`)],
      { env: given(issuer) },
    );
    await eventually(() => output.stdout.length > 0);
    const shown = Date.now();
    await eventually(() => issuer.leaks.length > 0);

    expect(Date.now() - shown).toBeLessThan(1_000);
    child.kill('SIGTERM');
    await ended;
    expect(issuer.leaks).toEqual([`found in the output, ${form}`]);
    expect(output.stderr).toContain(form);
  },
);

test('ordinary output, compressed and encoded, is no leak', async () => {
  await using issuer = await startStandInIssuer();
  const code = `
    const text = 'some ordinary text. '.repeat(500)
    console.log(text.split('').join(' '), require('zlib').gzipSync(text).toString('base64'), [1,2,3].reduce((t) => Buffer.from(t).toString('base64'), text))`;

  const { code: exit, stderr } = await runMayfly(['exec', '--id-token', 'V=v', ...script(code)], {
    env: given(issuer),
  });

  expect({ exit, stderr, leaks: issuer.leaks }).toEqual({ exit: 0, stderr: '', leaks: [] });
});

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
    /fewer than 8/,
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
  const file = join(mkdtempSync(join(tmpdir(), 'grant-')), 'grant.json');
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

test('every variable that is set is named in the help', async () => {
  await using issuer = await startStandInIssuer();
  const args = [
    '--aws-role',
    'r',
    '--google-provider',
    'p',
    '--google-executable',
    '--azure',
    ...script('console.log(Object.keys(process.env).join())'),
  ];

  const before = ['PATH', 'XDG_RUNTIME_DIR', ...Object.keys(given(issuer))];
  const { stdout } = await runMayfly(['exec', ...args], { env: given(issuer) });
  const { stdout: help } = await runMayfly(['exec', '--help']);

  const added = stdout
    .trim()
    .split(',')
    .filter((name) => !before.includes(name));
  expect(added.length).toBeGreaterThan(8);
  expect(added.filter((name) => !help.includes(name))).toEqual([]);
});
