import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { VAULT_CLAIMS, VAULT_ROLE, VAULT_VERDICTS } from '@mayfly/trust/vault-in-test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startVault, type TestVault } from './vault.ts';

let vault: TestVault;
let issuer: Awaited<ReturnType<typeof startIssuer>>;
let jwt: string;
beforeAll(async () => {
  [vault, issuer] = await Promise.all([startVault(), startIssuer()]);
  jwt = await issuer.sign(VAULT_CLAIMS);
  await vault.asRoot('POST', 'sys/auth/jwt', { type: 'jwt' });
});
afterAll(async () => {
  await Promise.all([vault[Symbol.asyncDispose](), issuer[Symbol.asyncDispose]()]);
});

/** An issuer of one key, with discovery. */
async function startIssuer() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256', use: 'sig' }];
  const server = createServer(({ url = '' }, response) => {
    const document = url.endsWith('/jwks') ? { keys } : { issuer: at, jwks_uri: `${at}/jwks` };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: at,
    async sign(claims: object): Promise<string> {
      const token = new SignJWT({ ...claims, iss: at }).setProtectedHeader({ alg: 'ES256', kid: 'one' });
      return await token.setIssuedAt().setExpirationTime('5m').sign(privateKey);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

let roles = 0;

/** Sets up a role that was not there before, and logs in by it; gives the login, or in whose words it was refused. */
async function logIn(given: Record<string, unknown>) {
  const { bound_issuer = issuer.url, ...role } = given;
  const config = { oidc_discovery_url: issuer.url, bound_issuer };
  await vault.asRoot('POST', 'auth/jwt/config', config);
  const name = `r${roles++}`;
  const made = await vault.asRoot('POST', `auth/jwt/role/${name}`, { ...VAULT_ROLE, ...role });
  if (made.status >= 400) return { refused: String(made.body.errors) };
  const { status, body } = await vault.asRoot('POST', 'auth/jwt/login', { role: name, jwt });
  const { auth } = body as { auth?: { client_token: string; lease_duration: number } };
  return status === 200 && auth ? { auth } : { refused: `${status} ${body.errors}` };
}

test.each(VAULT_VERDICTS)(
  'Vault says of a role with %j what our evaluator says: %s',
  async (role, expected) => {
    const { refused } = await logIn(role);

    const said = refused?.replace(/^400 /, '').replace(/^error validating (token|claims): /, '');
    if (vault.kind.startsWith('a stand-in')) expect(said ?? 'admitted').toMatch(expected);
    expect(said === undefined).toBe(expected.source.startsWith('^admitted'));
  },
);

test.each([
  [{ token_ttl: 60, token_explicit_max_ttl: 20 }, 20],
  [{ token_ttl: 60, token_explicit_max_ttl: 0 }, 60],
  [{ token_ttl: 10, token_max_ttl: 20, token_explicit_max_ttl: 0 }, 10],
  [{ token_period: 30, token_explicit_max_ttl: 20 }, 20],
])('a lease of a role with %j is %d s, renewed or not', async (role, seconds) => {
  const { auth } = await logIn(role);
  const response = await fetch(`${vault.url}/v1/auth/token/renew-self`, {
    method: 'POST',
    headers: { 'x-vault-token': auth?.client_token ?? '' },
    body: '{}',
  });
  const renewed = (await response.json()) as { auth: { lease_duration: number } };

  expect(auth?.lease_duration).toBe(seconds);
  expect(renewed.auth.lease_duration).toBeLessThanOrEqual(seconds);
  expect(renewed.auth.lease_duration).toBeGreaterThanOrEqual(seconds - 9);
});
