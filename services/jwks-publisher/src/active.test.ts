import { writeBuildReference } from '@mayfly/contracts/build-reference';
import type { ServiceError } from '@mayfly/contracts/errors';
import { twinOf } from '@mayfly/contracts/testing';
import { beforeEach, expect, test } from 'vitest';
import { judge } from './active.ts';
import { API, NOW, plainClaims, running, type TestIssuer, testIssuer } from './testing.ts';

let issuer: TestIssuer;
const isApi = (audience: string) => audience === API;
const jtiOf = (source: string, id: string, attempt = 1) =>
  `${writeBuildReference({ source, id, attempt })}.1`;

beforeEach(async () => {
  issuer = await testIssuer();
});

const judged = async (claims = {}, header = {}) =>
  judge(await issuer.sign(claims, header), isApi, issuer.judge);

test('a token of a running build is active, for whom it is meant', async () => {
  expect(await judged()).toMatchObject({
    active: true,
    claims: plainClaims(),
    build: { id: 'run', attempt: 1 },
  });
  expect(await judged({ aud: ['x', API] })).toMatchObject({ active: true });
});

test('every token with a good signature looks for one build, and only then is anything said', async () => {
  issuer.builds.set('over', {
    state: 'finished',
    attempt: 1,
    seq: 1,
    finishedAt: NOW * 1000,
    reason: 'success',
  });
  issuer.builds.set('late', running(NOW * 1000));
  const inactive = [
    { aud: 'https://other.example.com' },
    { aud: [] },
    { aud: 7 },
    { aud: undefined },
    { exp: NOW },
    { nbf: NOW + 1 },
    { jti: jtiOf('acme', 'over') },
    { jti: jtiOf('acme', 'late') },
    { jti: jtiOf('acme', 'unknown') },
    { jti: jtiOf('acme', 'run', 2) },
    { jti: jtiOf('other', 'run') },
    { jti: 'nothing' },
    { jti: '' },
  ];

  for (const claims of inactive) {
    issuer.looked.length = 0;
    expect(await judged(claims as never)).toEqual({ active: false, isOurs: true });
    expect(issuer.looked).toHaveLength(1);
  }
});

test('what is cheap to refuse is refused before any build is looked for', async () => {
  const token = await issuer.sign();
  const rubbish = [
    '',
    'x',
    'a.b.c',
    `${token}=`,
    `${token}==`,
    `${token} `,
    `${token.slice(0, -9)}\n${token.slice(-9)}`,
    'x'.repeat(9000),
    twinOf(token),
    await issuer.sign({}, { typ: 'at+jwt' }),
    await issuer.sign({}, { typ: undefined }),
    await issuer.sign({}, { kid: 'k2' }),
    await issuer.sign({}, { x: 'y' }),
    await issuer.sign({}, { kid: 'k'.repeat(600) }),
    await issuer.sign({ iss: 'https://id.example.com/other' }),
    await issuer.sign({ exp: 1.5 }),
    await issuer.sign({ jti: 7 as never }),
    token.slice(0, -4) + (token.endsWith('AAAA') ? 'BBBB' : 'AAAA'),
  ];

  for (const one of rubbish) {
    expect(await judge(one, isApi, issuer.judge)).toEqual({ active: false, isOurs: false });
  }
  expect(issuer.looked).toEqual([]);
});

test('a key that was revoked proves nothing at once, and keys that nobody confirms prove nothing at all', async () => {
  const token = await issuer.sign();
  const { keySets } = issuer.judge as {
    keySets: { accept(keySet: object): boolean };
  } & TestIssuer['judge'];
  const [key] = issuer.keySet.keys;
  keySets.accept({ ...issuer.keySet, version: 2, keys: [{ ...key, kid: 'k2' }] });
  expect(await judge(token, isApi, issuer.judge)).toEqual({ active: false, isOurs: false });

  const unconfirmed = { ...issuer.judge, keySets: { ...issuer.judge.keySets, isConfirmed: () => false } };
  const code = await judge(token, isApi, unconfirmed).catch((error: ServiceError) => error.code);
  expect(code).toBe('temporarily_unavailable');
});
