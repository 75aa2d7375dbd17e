import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { twinOf } from '@mayfly/contracts/testing';
import { expect, test } from 'vitest';
import { keySets, type ServedKeySet } from './key-sets.ts';
import { ISSUER, NOW, plainClaims, testIssuer } from './testing.ts';
import { type TokenReader, tokenReader } from './token.ts';

const served = async (keySet: PublishedKeySet): Promise<ServedKeySet> => {
  const sets = keySets(['acme'], () => NOW * 1000);
  await sets.accept(keySet);
  return sets.get('acme') as ServedKeySet;
};

/** Says whether the reader knew the bytes: without keys nothing else can be read. */
const isKnown = async (read: TokenReader, token: string, keySet: ServedKeySet) => {
  const { keys } = keySet;
  keySet.keys = new Map();
  const answer = await read(token, ISSUER, keySet);
  keySet.keys = keys;
  return typeof answer === 'object';
};

test('the very same bytes are known again, and nothing else is', async () => {
  const issuer = await testIssuer();
  const keySet = await served(issuer.keySet);
  const read = tokenReader(100);
  const token = await issuer.sign();
  expect(await read(token, ISSUER, keySet)).toEqual({ claims: plainClaims() });
  expect(await isKnown(read, token, keySet)).toBe(true);

  const [head, body, signature = ''] = token.split('.');
  const flipped = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`;
  const changed = [`${token}=`, `${token} `, `${head}.${body}.${flipped}`, token.slice(0, -1), ` ${token}`];
  for (const one of changed) expect(await read(one, ISSUER, keySet)).toBeTypeOf('string');
  expect(await read(twinOf(token), ISSUER, keySet)).toBe('shapeless');
});

test('what is forged is not remembered, and leaves no good token unread', async () => {
  const issuer = await testIssuer();
  const stranger = await testIssuer();
  const keySet = await served(issuer.keySet);
  const read = tokenReader(100);
  const forged = await stranger.sign();

  for (let tries = 0; tries < 3; tries++) expect(await read(forged, ISSUER, keySet)).toBe('forged');
  expect(await isKnown(read, forged, keySet)).toBe(false);
});

test('with another key set every token is read anew', async () => {
  const issuer = await testIssuer();
  const read = tokenReader(100);
  const token = await issuer.sign();
  await read(token, ISSUER, await served(issuer.keySet));

  const [key] = issuer.keySet.keys;
  const without = await served({ ...issuer.keySet, version: 2, keys: [{ ...key, kid: 'k2' } as never] });
  expect(await read(token, ISSUER, without)).toBe('unknown_key');
});

test('what becomes of each token is counted', async () => {
  const issuer = await testIssuer();
  const keySet = await served(issuer.keySet);
  const counted: string[] = [];
  const read = tokenReader(10, (outcome) => counted.push(outcome));
  const token = await issuer.sign();
  const stranger = await (await testIssuer()).sign();
  const unknown = await issuer.sign({}, { kid: 'k2' });

  for (const one of [token, token, stranger, unknown, `${token}=`]) await read(one, ISSUER, keySet);
  expect(counted).toEqual(['good', 'remembered', 'forged', 'unknown_key', 'shapeless']);
});

test('a budget that is spent on forgeries keeps no known token from being read, nor rubbish from being refused', async () => {
  const issuer = await testIssuer();
  const keySet = await served(issuer.keySet);
  const read = tokenReader(10);
  const stranger = await (await testIssuer()).sign();
  const [known, fresh] = [await issuer.sign(), await issuer.sign({ sub: 'repo:2' })];
  let left = 3;
  const budget = { hasLeft: () => left > 0, spend: () => void left-- };
  const show = (token: string) => read(token, ISSUER, keySet, budget).catch(({ code }) => code as string);
  await show(known);

  for (const expected of ['forged', 'forged', 'forged', 'slow_down']) {
    expect(await show(stranger)).toBe(expected);
  }
  expect(await show(known)).toMatchObject({ claims: plainClaims() });
  expect(await show(await issuer.sign({}, { kid: 'k2' }))).toBe('unknown_key');
  expect(await show(fresh)).toBe('slow_down');
  left = 1;
  expect(await show(fresh)).toMatchObject({ claims: { sub: 'repo:2' } });
});

test('only so many are remembered, the latest of them', async () => {
  const issuer = await testIssuer();
  const keySet = await served(issuer.keySet);
  const read = tokenReader(10);
  const tokens = await Promise.all(Array.from({ length: 40 }, (_, at) => issuer.sign({ sub: `${at}` })));
  for (const token of tokens) await read(token, ISSUER, keySet);

  const known: boolean[] = [];
  for (const token of tokens) known.push(await isKnown(read, token, keySet));
  expect(known.lastIndexOf(true)).toBe(39);
  expect(known.filter(Boolean).length).toBeGreaterThanOrEqual(5);
  expect(known.filter(Boolean).length).toBeLessThanOrEqual(10);
});
