import type { ServiceError } from '@mayfly/contracts/errors';
import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { twinOf } from '@mayfly/contracts/testing';
import { expect, test } from 'vitest';
import { keySets, type ServedKeySet } from './key-sets.ts';
import { ISSUER, NOW, plainClaims, testIssuer } from './testing.ts';
import { type TokenReader, tokenReader } from './token.ts';

const served = (keySet: PublishedKeySet): ServedKeySet => {
  const sets = keySets(['acme'], () => NOW * 1000);
  sets.accept(keySet);
  return sets.get('acme') as ServedKeySet;
};

/** Says whether the reader knew the bytes: without keys nothing else can be read. */
const isKnown = (read: TokenReader, token: string, keySet: ServedKeySet) => {
  const { keys } = keySet;
  keySet.keys = new Map();
  const answer = read(token, ISSUER, keySet);
  keySet.keys = keys;
  return typeof answer === 'object';
};

test('the very same bytes are known again, and nothing else is', async () => {
  const issuer = await testIssuer();
  const keySet = served(issuer.keySet);
  const read = tokenReader(100);
  const token = await issuer.sign();
  expect(read(token, ISSUER, keySet)).toEqual({ claims: plainClaims() });
  expect(isKnown(read, token, keySet)).toBe(true);

  const [head, body, signature = ''] = token.split('.');
  const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
  const changed = [`${token}=`, `${token} `, `${head}.${body}.${flipped}`, token.slice(0, -1), ` ${token}`];
  for (const one of changed) expect(read(one, ISSUER, keySet)).toBeTypeOf('string');
  expect(read(twinOf(token), ISSUER, keySet)).toBe('shapeless');
});

test('what is forged is not remembered, and leaves no good token unread', async () => {
  const issuer = await testIssuer();
  const stranger = await testIssuer();
  const keySet = served(issuer.keySet);
  const read = tokenReader(100);
  const forged = await stranger.sign();

  for (let tries = 0; tries < 3; tries++) expect(read(forged, ISSUER, keySet)).toBe('forged');
  expect(isKnown(read, forged, keySet)).toBe(false);
});

test('with another key set every token is read anew', async () => {
  const issuer = await testIssuer();
  const read = tokenReader(100);
  const token = await issuer.sign();
  read(token, ISSUER, served(issuer.keySet));

  const [key] = issuer.keySet.keys;
  const without = served({ ...issuer.keySet, version: 2, keys: [{ ...key, kid: 'k2' } as never] });
  expect(read(token, ISSUER, without)).toBe('unknown_key');
});

test('what becomes of each token is counted', async () => {
  const issuer = await testIssuer();
  const keySet = served(issuer.keySet);
  const counted: string[] = [];
  const read = tokenReader(10, (outcome) => counted.push(outcome));
  const token = await issuer.sign();
  const stranger = await (await testIssuer()).sign();
  const unknown = await issuer.sign({}, { kid: 'k2' });

  for (const one of [token, token, stranger, unknown, `${token}=`]) read(one, ISSUER, keySet);
  expect(counted).toEqual(['good', 'remembered', 'forged', 'unknown_key', 'shapeless']);
});

test('a budget that is spent on forgeries keeps no known token from being read, nor rubbish from being refused', async () => {
  const issuer = await testIssuer();
  const keySet = served(issuer.keySet);
  const read = tokenReader(10);
  const stranger = await (await testIssuer()).sign();
  const [known, fresh] = [await issuer.sign(), await issuer.sign({ sub: 'repo:2' })];
  let left = 3;
  const budget = { hasLeft: () => left > 0, spend: () => void left-- };
  const show = (token: string) => {
    try {
      return read(token, ISSUER, keySet, budget);
    } catch (error) {
      return (error as ServiceError).code;
    }
  };
  show(known);

  for (const expected of ['forged', 'forged', 'forged', 'slow_down']) {
    expect(show(stranger)).toBe(expected);
  }
  expect(show(known)).toMatchObject({ claims: plainClaims() });
  expect(show(await issuer.sign({}, { kid: 'k2' }))).toBe('unknown_key');
  expect(show(fresh)).toBe('slow_down');
  left = 1;
  expect(show(fresh)).toMatchObject({ claims: { sub: 'repo:2' } });
});

test('only so many are remembered, the latest of them', async () => {
  const issuer = await testIssuer();
  const keySet = served(issuer.keySet);
  const read = tokenReader(10);
  const tokens = await Promise.all(Array.from({ length: 40 }, (_, at) => issuer.sign({ sub: `${at}` })));
  for (const token of tokens) read(token, ISSUER, keySet);

  const known: boolean[] = [];
  for (const token of tokens) known.push(isKnown(read, token, keySet));
  expect(known.lastIndexOf(true)).toBe(39);
  expect(known.filter(Boolean).length).toBeGreaterThanOrEqual(5);
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(10);
});
