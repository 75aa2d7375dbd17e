import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keySetCache } from './key-set-cache.ts';
import { keySets } from './key-sets.ts';
import { testIssuer } from './testing.ts';

test('a kept key set serves until its time, and for good once it is confirmed', async () => {
  const { keySet } = await testIssuer();
  let time = 0;
  const sets = keySets(['acme', 'other'], () => time);
  expect(sets.missing()).toEqual(['acme', 'other']);
  sets.acceptKept(keySet, 1000);
  expect([sets.get('acme')?.version, sets.isConfirmed('acme')]).toEqual([1, false]);
  time = 1000;
  expect(sets.get('acme')).toBeUndefined();

  expect(sets.accept(keySet)).toBe(false);
  expect([sets.get('acme')?.version, sets.isConfirmed('acme')]).toEqual([1, true]);
  expect(sets.accept({ ...keySet, version: 3 })).toBe(true);
  expect(sets.accept({ ...keySet, version: 2 })).toBe(false);
  expect(sets.get('acme')?.version).toBe(3);
  expect(sets.accept({ ...keySet, source: 'nobody' })).toBe(false);
});

test('what is kept is read again, and anything else in its place is not', async () => {
  const { keySet } = await testIssuer();
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-cache-'));
  const cache = keySetCache(dir);
  expect(cache.read('acme')).toBeUndefined();
  cache.write(keySet);
  expect(cache.read('acme')?.keySet).toEqual(keySet);
  expect(Math.abs((cache.read('acme')?.confirmedAt ?? 0) - Date.now())).toBeLessThan(5000);

  const secret = { ...keySet, keys: [{ ...keySet.keys[0], d: 'x' }] };
  for (const text of ['', '{', JSON.stringify(secret), JSON.stringify({ ...keySet, source: 'other' })]) {
    writeFileSync(join(dir, 'acme.json'), text);
    expect(cache.read('acme')).toBeUndefined();
  }
  rmSync(dir, { recursive: true });
});
