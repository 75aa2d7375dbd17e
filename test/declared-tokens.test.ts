import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { allowInsecureRequests, ClientSecretBasic, discovery, tokenIntrospection } from 'openid-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectCi } from './ci.ts';
import { knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
beforeAll(async () => {
  system = await testSystem();
});
afterAll(() => system[Symbol.asyncDispose]());

test('a declared token arrives at its CI and a stock OIDC client verifies it from the issuer URL alone', async () => {
  await using ci = await connectCi(system);

  await ci.start({ id: 'one', reply: 'runner-7' });
  const { data } = await ci.heard('one');

  const issuer = issuerUrl(system.baseUrl, 'acme');
  const token = data.id_tokens['API_TOKEN'] as string;
  const secret = ClientSecretBasic(system.secret('relying-party-api'));
  const client = await discovery(new URL(issuer), 'api', undefined, secret, {
    execute: [allowInsecureRequests],
  });
  const { jwks_uri = '' } = client.serverMetadata();
  const options = { issuer, audience: 'https://api.example.com', typ: 'JWT', algorithms: ['ES256'] };
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), options);
  expect(decodeProtectedHeader(token)).toEqual({
    alg: 'ES256',
    typ: 'JWT',
    kid: expect.stringMatching(/^[\w-]{43}$/),
  });
  expect(payload).toMatchObject({
    repository_id: '456789',
    ref: 'refs/heads/main',
    aud: 'https://api.example.com',
  });
  expect((payload.exp as number) - (payload.iat as number)).toBe(300);
  expect(await knownActive(system, token)).toBe(true);
  expect((await tokenIntrospection(client, token)).active).toBe(true);
});

test('several declared tokens have one audience each, and the algorithm that policy gives it', async () => {
  await using ci = await connectCi(system);

  await ci.start({
    id: 'two',
    idTokens: { A: { aud: 'https://api.example.com' }, B: { aud: 'sts.amazonaws.com' } },
  });
  const { data } = await ci.heard('two');

  const algs = Object.entries(data.id_tokens).map(([name, token]) => [
    name,
    decodeProtectedHeader(token).alg,
  ]);
  expect(Object.fromEntries(algs)).toEqual({ A: 'ES256', B: 'RS256' });
});

test('a token whose audience is not allowed is left out of the grant, which says why, and the others come', async () => {
  await using ci = await connectCi(system);

  await ci.start({
    id: 'three',
    idTokens: { GOOD: { aud: 'sts.amazonaws.com' }, BAD: { aud: 'https://evil.example' } },
  });
  const { data } = await ci.heard('three');

  expect(Object.keys(data.id_tokens)).toEqual(['GOOD']);
  expect(data.id_token_errors?.['BAD']?.error).toBe('invalid_target');
});

test('a build that declares nothing gets nothing, by push or on request', async () => {
  await using ci = await connectCi(system);

  await ci.start({ id: 'silent', idTokens: null });
  await ci.start({ id: 'after' });
  await ci.heard('after');

  expect(ci.grants.map(({ data }) => data.id)).not.toContain('silent');
  expect(await ci.askGrant('silent')).toBeUndefined();
});

test('a CI may ask for the grant again while the build runs, and not after', async () => {
  await using ci = await connectCi(system);
  await ci.start({ id: 'again' });
  const first = await ci.heard('again');

  const second = await ci.askGrant('again');
  expect(second?.data.id_token_request_token).toBe(first.data.id_token_request_token);
  expect(await knownActive(system, second?.data.id_tokens['API_TOKEN'] as string)).toBe(true);

  await ci.finish('again');
  await expect.poll(() => ci.askGrant('again'), { timeout: 10_000 }).toBeUndefined();
});
