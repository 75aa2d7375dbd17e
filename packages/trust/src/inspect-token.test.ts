import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { inspectToken } from './inspect-token.ts';
import { deployment, NOW, started } from './testing.ts';
import { tokenOf } from './token-of.ts';
import { type KnownOfToken, whyInactive } from './why-inactive.ts';

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const KID = 'a'.repeat(43);
const ISSUER = 'https://id.example.com/ci';

const { claims: CLAIMS } = tokenOf(
  await deployment(),
  started(),
  { audience: 'https://vault.example.com' },
  NOW,
);
const STATUS = { status: { status_list: { idx: 1, uri: `${ISSUER}/status-lists/1` } } };

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function token(claims: object | string = {}, header: object = {}): string {
  const body = typeof claims === 'string' ? claims : { ...CLAIMS, ...STATUS, ...claims };
  const signed = `${encode({ alg: 'RS256', kid: KID, typ: 'JWT', ...header })}.${encode(body)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
}

const oddities = (text: string, issuer?: string) =>
  inspectToken(text, { now: NOW, issuer })
    .odd.map(({ what }) => what)
    .join('\n');

test('nothing is odd about a token as we issue it', () => {
  const { build, odd, limits } = inspectToken(token(), { now: NOW, issuer: ISSUER });

  expect(odd).toEqual([]);
  expect(build).toEqual({ source: 'ci', id: 'b-42', attempt: 1 });
  expect(limits.filter(({ within }) => !within)).toEqual([]);
});

describe('what is odd about a token is named', () => {
  const own = token();
  test.each<[string, string, RegExp]>([
    ['padding', `${own}==`, /not in canonical form: it is padded/],
    ['a sign of base64', own.replace(/\.[^.]*$/, '.ab+/'), /has signs that base64url has not/],
    ['no signature', own.replace(/[^.]*$/, ''), /it has no signature/],
    ['a scheme', `Bearer ${own}`, /a scheme, around it/],
    ['alg none', token({}, { alg: 'none' }), /alg is none: nobody signed it/],
    ['a shared secret', token({}, { alg: 'HS256' }), /whoever verifies it can make it/],
    ['another alg', token({}, { alg: 'PS256' }), /alg is PS256/],
    [
      'a signature of another alg',
      token({}, { alg: 'ES256' }),
      /signature has 256 bytes, which is none of ES256/,
    ],
    ['typ', token({}, { typ: 'at+jwt' }), /access token/],
    ['no typ', token({}, { typ: undefined }), /it has no typ/],
    ['no kid', token({}, { kid: undefined }), /it has no kid/],
    ['a kid that is no thumbprint', token({}, { kid: 'key-1' }), /no RFC 7638 thumbprint/],
    ['a key in the header', token({}, { jwk: {} }), /has jwk, by which a token tells how to verify itself/],
    ['a stranger in the header', token({}, { cty: 'x' }), /its header has cty/],
    [
      'a claim twice',
      token(JSON.stringify(CLAIMS).replace('{', '{"sub":"x",')),
      /stands twice in its claims/,
    ],
    ['no sub', token({ sub: undefined }), /it has no sub/],
    ['no jti', token({ jti: undefined }), /it has no jti/],
    ['the jti of somebody else', token({ jti: 'x' }), /jti names no build/],
    [
      'a jti of another source',
      token({ iss: 'https://id.example.com/other' }),
      /jti is of the source ci, and iss is not/,
    ],
    ['no status', token({ status: undefined }), /it has no status/],
    ['past', token({ exp: NOW - 5 }), /it expired 5 s ago/],
    ['future', token({ nbf: NOW + 9, iat: NOW + 7 }), /another 9 s \(nbf\)[\s\S]*7 s in the future/],
    ['a fraction', token({ iat: NOW + 0.5 }), /iat is no whole number/],
    ['exp before iat', token({ exp: NOW + 5, iat: NOW + 6 }), /exp is not after iat/],
    ['a long life', token({ exp: NOW + 90_000 }), /it lives 90000 s/],
    ['two audiences', token({ aud: ['a', 'b'] }), /it has 2 audiences/],
    ['a list', token({ aud: ['a'] }), /aud is a list/],
    ['azp', token({ azp: 'x' }), /AWS takes for the audience/],
    ['a strange subject', token({ sub: 'a b"' }), /sub has signs .* " " "\\""/],
    ['null', token({ ref: null }), /null is the value of ref/],
    ['a number', token({ run: 7 }), /no text is the value of run/],
    ['http', token({ iss: 'http://id.example.com/ci' }), /iss is no https address/],
  ])('%s', (_, text, expected) => {
    expect(oddities(text)).toMatch(expected);
  });

  test('spare bits', () => {
    const [header = '', claims = '', signature = ''] = token().split('.');
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const last = alphabet[alphabet.indexOf(signature.at(-1) ?? '') + 1] ?? '';

    expect(oddities([header, claims, signature.slice(0, -1) + last].join('.'))).toMatch(/spare bits/);
  });

  test('the other S of an ECDSA signature', () => {
    const of = (s: string) => {
      const signature = Buffer.from(`${'11'.repeat(32)}${s.repeat(32)}`, 'hex').toString('base64url');
      return oddities(token({}, { alg: 'ES256' }).replace(/[^.]*$/, signature));
    };

    expect(of('7e')).toBe('');
    expect(of('80')).toMatch(/the higher of the two S/);
  });

  test('an issuer that is nearly the one', () => {
    expect(oddities(token(), `${ISSUER}/`)).toMatch(/the slash at the end makes another issuer/);
    expect(oddities(token(), 'https://other.example')).toMatch(/and not https:\/\/other\.example$/);
  });
});

test('limits of relying parties are said where a token is beyond them', () => {
  const beyond = (claims: object) =>
    inspectToken(token(claims), { now: NOW })
      .limits.filter(({ within }) => !within)
      .map(({ party }) => party);

  expect(beyond({ sub: 'a'.repeat(128) })).toEqual(['Google Cloud']);
  expect(beyond({ sub: 'a'.repeat(601) })).toEqual(['Google Cloud', 'OIDC', 'Azure', 'octo-sts']);
  expect(beyond({ long: 'a'.repeat(3000) })).toEqual(['RabbitMQ']);
  expect(beyond({ sub: 'a{b}' })).toEqual(['octo-sts']);
  const { limits } = inspectToken(token({ iss: 'http://id.example.com/ci' }), { now: NOW });
  expect(limits.at(-1)).toEqual({
    party: 'octo-sts',
    limit: 'issuers by https, of 255 characters and a plain path',
    value: 'http://id.example.com/ci',
    within: false,
  });
  const tags = Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`t${index}`, ['x']]));
  expect(beyond({ 'https://aws.amazon.com/tags': { principal_tags: tags } })).toEqual(['AWS']);
  expect(beyond({ 'https://aws.amazon.com/tags': { principal_tags: { ref: ['fix#1'] } } })).toEqual(['AWS']);
});

test.each<[string, RegExp]>([
  ['', /it is empty; give a token/],
  ['mfr_abcdefgh_x', /request token of a build.*keep it secret/],
  ['{"token":"x"}', /it is JSON/],
  ['a.b', /it has 2 parts/],
  ['a.b.c.d.e', /it has 5 parts/],
  ['bm8.bm8.bm8', /its header is no JSON object/],
])('%j is no token, and what to give is said', (text, expected) => {
  expect(() => inspectToken(text, { now: NOW })).toThrow(expected);
});

test('why a token is not active is said as far as it can be told', () => {
  const why = (claims: object, known: Partial<KnownOfToken> = {}) => {
    const text = token(claims);
    const inspected = inspectToken(text, { now: NOW });
    const rest = {
      now: NOW,
      issuer: ISSUER,
      signature: 'good' as const,
      build: undefined,
      audiences: ['https://vault.example.com'],
    };
    return whyInactive({ token: text, inspected, ...rest, ...known }).join('\n');
  };
  const running = { state: 'running', attempt: 1 };

  expect(why({}, { build: { state: 'finished', reason: 'success', attempt: 1 } })).toBe(
    'its build is finished (success)',
  );
  expect(why({}, { build: { ...running, attempt: 2 } })).toMatch(/of attempt 1 .* attempt 2 is on record/);
  expect(why({}, { build: null })).toMatch(/no build b-42 on record/);
  expect(why({ exp: NOW - 1 }, { build: running })).toBe('it expired 1 s ago');
  expect(why({ nbf: NOW + 1 }, { build: running })).toMatch(/not good for another 1 s/);
  expect(why({ aud: 'x' }, { build: running })).toMatch(
    /meant for x, and this relying party is told about https:\/\/vault/,
  );
  expect(why({}, { signature: 'bad' })).toMatch(/signature is bad/);
  expect(why({}, { signature: 'no such key' })).toMatch(/key was retired/);
  expect(why({}, { issuer: 'https://other' })).toMatch(/of the issuer .*, and https:\/\/other was asked/);
  expect(why({ jti: 'x' })).toMatch(/jti names no build/);
  expect(why({}, { build: running })).toMatch(/used once already/);
  expect(why({}, { build: running, audiences: undefined })).toMatch(/give --config/);
});
