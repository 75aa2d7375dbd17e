import { twinOf } from '@mayfly/contracts/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createVerifier, type Verifier, type VerifierOptions } from './index.ts';
import {
  AUDIENCE,
  codeOf,
  type FakeIssuer,
  fakeIssuer,
  ISSUER,
  LIST,
  makeKey,
  statusListToken,
} from './testing.ts';

let time: number;
let issuer: FakeIssuer;
const open: Verifier[] = [];

beforeEach(async () => {
  time = 1_795_000_000_000;
  issuer = await fakeIssuer(() => time);
});
afterEach(() => {
  for (const verifier of open.splice(0)) verifier.close();
});

function verifierOf(options: Partial<VerifierOptions> = {}): Verifier {
  const verifier = createVerifier({
    ...{ issuer: ISSUER, audience: AUDIENCE, now: () => time, fetch: issuer.fetch, ...options },
  });
  open.push(verifier);
  return verifier;
}

test('a good token of a running build is taken, and its claims given', async () => {
  const claims = await verifierOf().verify(await issuer.sign({ repository: 'octo/hello' }));

  expect(claims).toMatchObject({ iss: ISSUER, aud: AUDIENCE, sub: 'repo:1', repository: 'octo/hello' });
});

test('each check that a token can fail has a name', async () => {
  const verifier = verifierOf({ builds: 'unchecked' });
  const other = await makeKey('k1', 'ES256');
  const good = await issuer.sign();
  const seconds = time / 1000;
  const cases: [string, Promise<string> | string][] = [
    ['malformed', `${good}=`],
    ['malformed', `${good} `],
    ['malformed', good.replace('.', '..')],
    ['malformed', 'x'.repeat(9000)],
    ['malformed', twinOf(good)],
    ['wrong_type', issuer.sign({}, { typ: 'statuslist+jwt' })],
    ['wrong_type', issuer.sign({}, { typ: 'at+jwt' })],
    ['wrong_type', issuer.sign({}, { typ: undefined })],
    ['untrusted_key', issuer.sign({}, { kid: 'k2' })],
    ['untrusted_key', issuer.sign({}, { jwk: other.jwk })],
    ['untrusted_key', issuer.sign({}, { jku: 'https://evil.example.com/jwks' })],
    ['bad_signature', issuer.sign({}, {}, other.privateKey)],
    ['wrong_issuer', issuer.sign({ iss: `${ISSUER}/` })],
    ['wrong_audience', issuer.sign({ aud: `${AUDIENCE}/` })],
    ['wrong_audience', issuer.sign({ aud: [AUDIENCE, 'https://other.example.com'] })],
    ['wrong_audience', issuer.sign({ aud: [] })],
    ['expired', issuer.sign({ exp: seconds - 5 })],
    ['not_yet_valid', issuer.sign({ nbf: seconds + 6 })],
    ['not_yet_valid', issuer.sign({ iat: seconds + 6 })],
    ['malformed', issuer.sign({ exp: undefined as never })],
    ['malformed', issuer.sign({ exp: '9999999999' as never })],
    ['malformed', issuer.sign({ exp: seconds + 0.5 })],
    ['malformed', issuer.sign({ sub: undefined as never })],
    ['taken', issuer.sign({ aud: [AUDIENCE] })],
    ['taken', issuer.sign({ exp: seconds - 4 })],
  ];

  for (const [code, token] of cases)
    expect([code, await codeOf(verifier.verify(await token))]).toEqual([code, code]);
});

test('a token is refused once its bit says so, and before anything is known', async () => {
  const verifier = verifierOf();
  const token = await issuer.sign({ iat: time / 1000 - 60 });
  issuer.running.delete(3);

  expect(await codeOf(verifier.verify(token))).toBe('build_not_running');
  expect(await codeOf(verifier.verify(await issuer.sign({ status: undefined })))).toBe('cannot_know');
  expect(
    await codeOf(verifier.verify(await issuer.sign({ status: { status_list: { idx: 70_000, uri: LIST } } }))),
  ).toBe('build_not_running');
});

test('nothing is fetched from an address that a token names and the issuer does not own', async () => {
  const verifier = verifierOf();
  const addresses = [
    'https://evil.example.com/status-lists/1-0',
    `${ISSUER}/status-lists/../../x`,
    `${ISSUER}.evil.example.com/status-lists/1-0`,
    `${ISSUER}/status-lists/1-0?x=https://evil.example.com`,
    `${ISSUER}@evil.example.com/status-lists/1-0`,
  ];

  for (const uri of addresses) {
    const token = await issuer.sign({ status: { status_list: { idx: 3, uri } } });
    expect(await codeOf(verifier.verify(token))).toBe('cannot_know');
  }
  expect(issuer.asked).toHaveLength(2);
});

test('a list that is late, forged, of another address or of the future says nothing', async () => {
  const seconds = time / 1000;
  const forger = { ...issuer, signing: await makeKey('k1', 'ES256') };
  const lists = [
    statusListToken(issuer, seconds, { exp: seconds - 1 }),
    statusListToken(issuer, seconds, { iat: seconds + 60 }),
    statusListToken(issuer, seconds, { sub: LIST.replace('-0', '-1') }),
    statusListToken(issuer, seconds, { iss: 'https://id.example.com/other' }),
    statusListToken(issuer, seconds, { status_list: { bits: 2, lst: 'eNrbuRgAAhcBXQ' } }),
    statusListToken(forger, seconds),
    issuer.sign(),
  ];

  for (const list of await Promise.all(lists)) {
    issuer.answers.set(LIST, () => new Response(list));
    expect(await codeOf(verifierOf().verify(await issuer.sign()))).toBe('cannot_know');
  }
});

test('a list is believed until it expires, and then nobody knows, unless the caller takes that', async () => {
  const verifier = verifierOf();
  const lenient = verifierOf({ whenUnknown: 'accept' });
  const token = await issuer.sign();
  expect(await codeOf(verifier.verify(token))).toBe('taken');
  expect(await codeOf(lenient.verify(token))).toBe('taken');

  issuer.isDown = true;
  time += 9000;
  expect(await codeOf(verifier.verify(token))).toBe('taken');
  time += 2000;
  expect(await codeOf(verifier.verify(token))).toBe('cannot_know');
  expect(await codeOf(lenient.verify(token))).toBe('taken');
});

test('a thousand tokens with unknown keys cost the issuer one reading of its keys', async () => {
  const verifier = verifierOf({ builds: 'unchecked' });
  await verifier.verify(await issuer.sign());
  const tokens = await Promise.all(
    Array.from({ length: 1000 }, (_, index) => issuer.sign({}, { kid: `unknown-${index}` })),
  );
  const codes = await Promise.all(tokens.slice(50).map((token) => codeOf(verifier.verify(token))));
  for (const token of tokens.slice(0, 50)) codes.push(await codeOf(verifier.verify(token)));

  expect(new Set(codes)).toEqual(new Set(['untrusted_key']));
  expect(issuer.asked.filter((url) => url.endsWith('/jwks')).length).toBeLessThanOrEqual(2);
});

test('a key serves one algorithm, and only keys of a kind that is taken serve at all', async () => {
  const rsa = await makeKey('r1', 'RS256');
  const octet = { kty: 'oct', k: 'c2VjcmV0', kid: 'o1', alg: 'HS256' };
  const unbound = { ...issuer.signing.jwk, kid: 'u1', alg: undefined };
  issuer.keys = [
    octet,
    unbound as never,
    { kty: 'AKP', kid: 'a1', alg: 'ML-DSA-44' },
    issuer.signing.jwk,
    rsa.jwk,
  ];
  const verifier = verifierOf({ builds: 'unchecked' });

  expect(
    await codeOf(verifier.verify(await issuer.sign({}, { alg: 'RS256', kid: 'r1' }, rsa.privateKey))),
  ).toBe('taken');
  expect(await codeOf(verifier.verify(await issuer.sign()))).toBe('taken');
  for (const kid of ['u1', 'o1', 'a1']) {
    expect(await codeOf(verifier.verify(await issuer.sign({}, { kid })))).toBe('untrusted_key');
  }
  const crossed = await issuer.sign({}, { alg: 'ES256', kid: 'r1' });
  expect(await codeOf(verifier.verify(crossed))).toBe('untrusted_key');
  const only = verifierOf({ builds: 'unchecked', algorithms: ['RS256'] });
  expect(await codeOf(only.verify(await issuer.sign()))).toBe('untrusted_key');
});

test('an algorithm that is not taken for ID tokens still signs the lists of builds', async () => {
  const rsa = await makeKey('r1', 'RS256');
  issuer.keys = [issuer.signing.jwk, rsa.jwk];
  const token = await issuer.sign({ iat: time / 1000 - 60 }, { alg: 'RS256', kid: 'r1' }, rsa.privateKey);
  const only = { algorithms: ['RS256'] } as const;

  expect(await codeOf(verifierOf(only).verify(token))).toBe('taken');
  expect(await codeOf(verifierOf(only).verify(await issuer.sign()))).toBe('untrusted_key');
  issuer.running.delete(3);
  expect(await codeOf(verifierOf({ ...only, whenUnknown: 'accept' }).verify(token))).toBe(
    'build_not_running',
  );
});

test('metadata of another issuer, a redirect and a key set served less safely are not believed', async () => {
  const metadata = `${ISSUER}/.well-known/openid-configuration`;
  const answers = [
    () => Response.json({ issuer: `${ISSUER}/`, jwks_uri: `${ISSUER}/jwks` }),
    () => Response.json({ issuer: ISSUER, jwks_uri: 'http://id.example.com/jwks' }),
    () => new Response('', { status: 302, headers: { location: `${ISSUER}/x` } }),
    () => new Response('x'.repeat(300_000)),
    () => new Response('not json'),
  ];

  for (const answer of answers) {
    issuer.answers.set(metadata, answer);
    expect(await codeOf(verifierOf({ builds: 'unchecked' }).verify(await issuer.sign()))).toBe('cannot_know');
  }
});

test('keys are read from the address of the issuer and from no other, and the error says so', async () => {
  const metadata = `${ISSUER}/.well-known/openid-configuration`;
  const addresses = [
    'https://evil.example.com/jwks',
    'https://id.example.com/other/jwks',
    `${ISSUER}.evil.example.com/jwks`,
    `${ISSUER}@evil.example.com/jwks`,
    `${ISSUER}/../other/jwks`,
    `${ISSUER}/%2e%2e/other/jwks`,
    'http://id.example.com/acme/jwks',
  ];

  for (const jwks_uri of addresses) {
    issuer.answers.set(metadata, () => Response.json({ issuer: ISSUER, jwks_uri }));
    issuer.answers.set(jwks_uri, () => Response.json({ keys: issuer.keys }));
    const verifying = verifierOf({ builds: 'unchecked' }).verify(await issuer.sign());
    await expect(verifying).rejects.toMatchObject({
      code: 'cannot_know',
      cause: { message: 'the key set is not at the address of the issuer' },
    });
  }
  expect(new Set(issuer.asked)).toEqual(new Set([metadata]));
});

test('an issuer without a path has its keys below its own address', async () => {
  const bare = 'https://id.example.com';
  for (const [at, jwks_uri] of [
    [bare, `${bare}/jwks`],
    [`${bare}:443`, `${bare}:443/jwks`],
  ] as const) {
    issuer.answers.set(`${at}/.well-known/openid-configuration`, () =>
      Response.json({ issuer: at, jwks_uri }),
    );
    issuer.answers.set(jwks_uri, () => Response.json({ keys: issuer.keys }));

    const verifier = verifierOf({ issuer: at, builds: 'unchecked' });
    expect(await codeOf(verifier.verify(await issuer.sign({ iss: at })))).toBe('taken');
  }
});

test('by introspection a token is good when the issuer says active, and nobody knows when it says nothing', async () => {
  const verifier = verifierOf({ builds: { introspection: { name: 'api', secret: 'a b:c' } } });
  const answers: [string, () => Response][] = [
    ['taken', () => Response.json({ active: true })],
    ['build_not_running', () => Response.json({ active: false })],
    ['cannot_know', () => Response.json({ error: 'temporarily_unavailable' }, { status: 503 })],
    ['cannot_know', () => Response.json({ active: 'true' })],
    ['cannot_know', () => new Response('<html>')],
  ];

  for (const [code, answer] of answers) {
    issuer.answers.set(`${ISSUER}/introspect`, answer);
    expect(await codeOf(verifier.verify(await issuer.sign()))).toBe(code);
  }
});

test('settings that make no sense are refused', () => {
  expect(() => verifierOf({ leewaySeconds: 61 })).toThrow(TypeError);
  expect(() => verifierOf({ leewaySeconds: -1 })).toThrow(TypeError);
  expect(() => verifierOf({ audience: '' })).toThrow(TypeError);
});
