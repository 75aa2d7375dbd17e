import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { twinOf } from '@mayfly/contracts/testing';
import { createVerifier } from '@mayfly/verifier';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Attacker, attacker, type Shot } from './attack-callers.ts';
import type { Attack } from './attack-headers.ts';
import { attackMatrix } from './attack-matrix.ts';
import { mutations } from './attack-mutations.ts';
import { type Ci, connectCi } from './ci.ts';
import { API, basic, startedToken } from './introspect-callers.ts';
import { answerOf, introspect, knownAnswer, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const COUNT = process.env['MAYFLY_TEST_FULL'] ? 1_000_000 : 10_000;
/** The token that is changed has to be good until the last of its changes was shown. */
const POLICY = `
sources:
  acme: { audiences: [${API}, sts.amazonaws.com], algorithms: { ${API}: ES256 }, lifetime: 2h, build_timeout: 6h }
  other: { audiences: [${API}] }
relying_parties:
  api: { audiences: [${API}, sts.amazonaws.com] }
verify:
  api: { audience: ${API} }
`;

let system: TestSystem;
let ci: Ci;
let tokens: string[];
let attacks: Attack[];
let called = 0;
let shooter: Attacker;
const canary = createServer((_request, response) => {
  called += 1;
  response.end('{"keys":[]}');
});

beforeAll(async () => {
  system = await testSystem({ policy: POLICY });
  ci = await connectCi(system);
  shooter = attacker();
  await new Promise<void>((resolve) => canary.listen(0, '127.0.0.1', resolve));
  await using other = await connectCi(system, 'other');
  const token = await startedToken(ci, { id: 'live' });
  const grant = await ci.heard('live');
  const rsa = await requestToken(system, grant, 'audience=sts.amazonaws.com');
  tokens = [token, rsa.body['value'] as string];
  const otherToken = await startedToken(other, { id: 'live' });
  const { keys } = (await (await fetch(`${system.baseUrl}/acme/jwks`)).json()) as {
    keys: Record<string, string>[];
  };
  const asked = (url: string) => knownAnswer(async () => answerOf(await fetch(url)));
  const { status_lists } = (await asked(`${system.baseUrl}/acme/status-lists`)).body as {
    status_lists: string[];
  };
  attacks = tokens.flatMap((one) => [
    ...attackMatrix({
      token: one,
      jwks: keys,
      otherSource: { kid: decodeProtectedHeader(otherToken).kid ?? '', token: otherToken },
      requestToken: grant.data.id_token_request_token,
      statusList: '',
      canary: `http://127.0.0.1:${(canary.address() as AddressInfo).port}`,
    }),
  ]);
  attacks.push(['a status list', (await asked(status_lists[0] ?? '')).text]);
});
afterAll(async () => {
  shooter[Symbol.dispose]();
  canary.close();
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const toIntrospection = (token: string): Shot => ({
  url: `${system.urlOf('jwks-publisher')}/acme/introspect`,
  method: 'POST',
  headers: { authorization: basic(system), 'content-type': 'application/x-www-form-urlencoded' },
  body: `token=${encodeURIComponent(token.toWellFormed())}`,
});
// What no HTTP client can put into a header does not reach a proxy either.
const toVerify = (token: string): Shot | undefined =>
  /^[\x20-\x7e]*$/.test(token) && token.length < 12_000
    ? {
        url: `${system.urlOf('jwks-publisher')}/acme/verify/api`,
        method: 'GET',
        headers: { authorization: `Bearer ${token}` },
      }
    : undefined;

test('no forged, confused, malformed or ambiguous token is taken by introspection, and none is answered 5xx', async () => {
  expect(attacks.length).toBeGreaterThan(400);
  expect((await introspect(system, tokens[0] ?? '')).body['active']).toBe(true);

  const { bad, statuses } = await shooter.run(attacks, toIntrospection);
  expect(bad).toEqual([]);
  expect([...statuses.keys()].filter((status) => ![200, 400].includes(status))).toEqual([]);
});

test('none of them is let through a proxy', async () => {
  const good = await shooter.run([['good', tokens[0] ?? '']], toVerify);
  expect(good.bad.map(({ status }) => status)).toEqual([200]);

  // The bare token with spaces around it is how HTTP itself spells the good one (RFC 9110 §5.5).
  const { bad } = await shooter.run(
    attacks.filter(([, token]) => !tokens.includes(token.trim())),
    toVerify,
  );
  expect(bad).toEqual([]);
});

test('none of them is taken by the library, which asks nobody but the issuer', async () => {
  const hosts = new Set<string>();
  const counted: typeof fetch = (input, init) => {
    hosts.add(new URL(String(input)).origin);
    return fetch(input, init);
  };
  using verifier = createVerifier({ issuer: `${system.baseUrl}/acme`, audience: API, fetch: counted });
  await verifier.verify(tokens[0] ?? '');

  const taken: string[] = [];
  for (const [what, token] of attacks) {
    await verifier.verify(token).then(
      () => taken.push(what),
      (error: Error) => expect(error.name).toBe('VerificationError'),
    );
  }
  expect(taken).toEqual([]);
  expect([...hosts]).toEqual([new URL(system.baseUrl).origin]);
  expect(called).toBe(0);
});

test('the twin of a signature, that other libraries take, is no token here', async () => {
  const twin = twinOf(tokens[0] ?? '');
  const keys = createRemoteJWKSet(new URL(`${system.baseUrl}/acme/jwks`));
  using verifier = createVerifier({ issuer: `${system.baseUrl}/acme`, audience: API });

  expect((await jwtVerify(twin, keys)).payload.aud).toBe(API);
  expect((await introspect(system, twin)).text).toBe('{"active":false}');
  expect((await shooter.run([['twin', twin]], toVerify)).statuses).toEqual(new Map([[401, 1]]));
  await expect(verifier.verify(twin)).rejects.toMatchObject({ code: 'malformed' });
});

test(`of ${COUNT} mutations of a live token none is taken anywhere`, { timeout: 3_600_000 }, async () => {
  using verifier = createVerifier({ issuer: `${system.baseUrl}/acme`, audience: API });
  const live = tokens[0] ?? '';
  await verifier.verify(live);
  const named = function* (seed: number): Generator<Attack> {
    for (const token of mutations(live, COUNT, seed)) yield [token, token];
  };
  const [byIntrospection, byVerify] = await Promise.all([
    shooter.run(named(1), toIntrospection),
    shooter.run(
      named(1).filter(([, token]) => token.trim() !== live),
      toVerify,
    ),
  ]);
  let taken = 0;
  for (const [, token] of named(1)) {
    await verifier.verify(token).then(
      () => {
        taken += 1;
      },
      () => undefined,
    );
  }

  expect([byIntrospection.bad, byVerify.bad, taken, called]).toEqual([[], [], 0, 0]);
  const { statuses } = byIntrospection;
  expect((statuses.get(200) ?? 0) + (statuses.get(400) ?? 0)).toBe(COUNT);
  expect((await introspect(system, live)).body['active']).toBe(true);
});
