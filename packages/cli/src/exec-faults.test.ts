import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { given, runMayfly, temporaryDirectory } from './run-in-test.ts';
import { type StandInIssuer, startStandInIssuer } from './stand-in-issuer.ts';

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
