import { expect, test } from 'vitest';
import { runMayfly, script } from './run-in-test.ts';
import { type StandInIssuer, startStandInIssuer } from './stand-in-issuer.ts';

const VARIABLES = { request_url: ['ACME_URL'], request_token: ['ACME_KEY'], token: ['ACME_ID_TOKEN'] };

const SHOWN = `
  const e = process.env
  console.log(JSON.stringify({
    names: Object.keys(e).filter((name) => /_URL$|_KEY$|_TOKEN$|_FILE$/.test(name)).sort(),
    isOneAddress: e.ACME_URL === e.MAYFLY_ID_TOKEN_REQUEST_URL,
    isOneKey: e.ACME_KEY === e.MAYFLY_ID_TOKEN_REQUEST_TOKEN,
    isOneToken: e.ACME_ID_TOKEN === e.VAULT && e.ACME_ID_TOKEN_FILE === e.VAULT_FILE,
  }))`;

async function shown(issuer: StandInIssuer, audiences: Record<string, string>, ...options: string[]) {
  const { data, ...envelope } = issuer.grant(audiences) as { data: object };
  const input = JSON.stringify({ ...envelope, data: { ...data, variables: VARIABLES } });
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: issuer.requestUrl,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: issuer.requestToken,
  };
  const args = ['exec', '--grant', '-', '--no-mask', ...options, ...script(SHOWN)];
  const { stdout } = await runMayfly(args, { env, input });
  return JSON.parse(stdout) as Record<string, unknown>;
}

test('a step finds tokens and the way to more under the names of the grant, and no others but ours', async () => {
  await using issuer = await startStandInIssuer();

  expect(await shown(issuer, { VAULT: 'v' })).toEqual({
    names: [
      ...['ACME_ID_TOKEN', 'ACME_ID_TOKEN_FILE', 'ACME_KEY', 'ACME_URL'],
      ...['MAYFLY_ID_TOKEN_REQUEST_TOKEN', 'MAYFLY_ID_TOKEN_REQUEST_URL', 'VAULT_FILE'],
    ],
    ...{ isOneAddress: true, isOneKey: true, isOneToken: true },
  });
});

test('of several declared tokens none has the name that the grant has for the one', async () => {
  await using issuer = await startStandInIssuer();

  const { names } = await shown(issuer, { VAULT: 'v', OTHER: 'o' });

  expect(names).not.toContain('ACME_ID_TOKEN');
});
