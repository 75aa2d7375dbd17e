import { expect, test } from 'vitest';
import { emptyKeyring } from './keyring.ts';
import { keepKeyring, type Shared } from './keyrings.ts';
import { keyringSeal } from './seal.ts';
import { fakeKeys, memoryStore, RULES, silent } from './testing.ts';

const OLD = '0a'.repeat(32);
const NEW = '0b'.repeat(32);

test('a keyring opens only under its key, and only as that of its source', async () => {
  const sealed = await keyringSeal(OLD).close(emptyKeyring('acme'));

  expect(await keyringSeal(OLD).open('acme', sealed, 1)).toEqual(emptyKeyring('acme'));
  await expect(keyringSeal(NEW).open('acme', sealed, 1)).rejects.toThrow('another key-encryption key');
  await expect(keyringSeal(OLD).open('other', sealed, 1)).rejects.toThrow('of another source');
  await expect(keyringSeal(OLD).open('acme', `${sealed.slice(0, -2)}AA`, 1)).rejects.toThrow();
});

test('a new key-encryption key comes in as the second line, becomes the first, and the old one is then needed no more', async () => {
  const store = memoryStore(() => 0);
  const makeKey = fakeKeys();
  const keep = (keys: string) => {
    const custody = { generate: async (alg: 'RS256' | 'ES256') => makeKey(alg) };
    const shared: Shared = {
      store,
      custody,
      seal: keyringSeal(keys),
      rules: () => RULES,
      log: silent,
      now: () => 1,
    };
    return keepKeyring('acme', shared);
  };
  const first = await keep(OLD);

  expect(await keep(`${OLD}\n${NEW}`)).toEqual(first);
  expect(await keep(`${NEW}\n${OLD}`)).toEqual(first);
  expect(await keep(NEW)).toEqual(first);
  await expect(keep(OLD)).rejects.toThrow('another key-encryption key');
});

test('a file of anything but one or two keys is refused', () => {
  for (const text of ['', 'x', OLD.slice(1), `${OLD}\n${OLD}\n${OLD}`, `${OLD} ${OLD}`])
    expect(() => keyringSeal(text)).toThrow('must hold one or two lines');
});
