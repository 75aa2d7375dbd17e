import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { introspect, isActive, knownActive, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let acme: Ci;
let other: Ci;
beforeAll(async () => {
  system = await testSystem();
  [acme, other] = await Promise.all([connectCi(system, 'acme'), connectCi(system, 'other')]);
});
afterAll(async () => {
  await Promise.all([acme, other].map((ci) => ci[Symbol.asyncDispose]()));
  await system[Symbol.asyncDispose]();
});

const keySetOf = async (source: string) =>
  (await (await fetch(`${issuerUrl(system.urlOf('jwks-publisher'), source)}/jwks`)).json()) as JSONWebKeySet;
const tokenOf = async (ci: Ci, id: string) => {
  await ci.start({ id });
  return (await ci.heard(id)).data.id_tokens['API_TOKEN'] as string;
};

test('no key of one source is a key of another', async () => {
  const sets = await Promise.all(['acme', 'other'].map(keySetOf));

  const [mine, theirs] = sets.map(({ keys }) => keys.flatMap(({ kid, n, x }) => [kid, n, x].filter(Boolean)));
  expect(mine?.length).toBeGreaterThan(2);
  expect(mine?.filter((part) => theirs?.includes(part))).toEqual([]);
});

test('a token of one source verifies with no key of another, also where nothing but the signature is looked at', async () => {
  const token = await tokenOf(acme, 'keys');
  const [mine, theirs] = (await Promise.all(['acme', 'other'].map(keySetOf))).map((set) =>
    createLocalJWKSet(set),
  );
  if (!mine || !theirs) throw new Error('no key sets');

  await expect(compactVerify(token, mine)).resolves.toMatchObject({ protectedHeader: { typ: 'JWT' } });
  await expect(compactVerify(token, theirs)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
});

test('a token of one source is not one of the issuer of another, by name or by introspection', async () => {
  const [token, same] = await Promise.all([tokenOf(acme, 'twin'), tokenOf(other, 'twin')]);
  const mine = createLocalJWKSet(await keySetOf('acme'));

  await expect(jwtVerify(token, mine, { issuer: issuerUrl(system.baseUrl, 'other') })).rejects.toMatchObject({
    code: 'ERR_JWT_CLAIM_VALIDATION_FAILED',
  });
  expect((await introspect(system, token, { source: 'other' })).text).toBe('{"active":false}');
  expect(await knownActive(system, token)).toBe(true);
  expect(await knownActive(system, same, { source: 'other' })).toBe(true);
});

test('a build that finishes ends no build of the same id in another source', async () => {
  const [token, same] = await Promise.all([tokenOf(acme, 'shared'), tokenOf(other, 'shared')]);

  await acme.finish('shared');

  await eventually(async () => (await isActive(system, token)) === false, 'end');
  expect(await knownActive(system, same, { source: 'other' })).toBe(true);
});

test('a request token gets tokens of its own source only, whatever it is told', async () => {
  await acme.start({ id: 'asks' });
  const grant = await acme.heard('asks');

  const audience = 'audience=https%3A%2F%2Fapi.example.com';
  const told = await requestToken(system, grant, `${audience}&source=other`);
  const { body } = await requestToken(system, grant, audience);

  expect(told.status).toBe(400);
  expect(await knownActive(system, body['value'] as string)).toBe(true);
  expect(await knownActive(system, body['value'] as string, { source: 'other' })).toBe(false);
});
