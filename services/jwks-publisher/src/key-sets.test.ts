import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger } from '@mayfly/service-kit/logger';
import { expect, test } from 'vitest';
import { keepKeySets } from './keep-key-sets.ts';
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

test('a key set is not confirmed any more once either clock says that it is too long ago', async () => {
  const { keySet } = await testIssuer();
  let time = 0;
  const sets = keySets(['acme'], () => time);
  sets.accept(keySet);
  time = 5000;
  expect(sets.isConfirmed('acme')).toBe(true);
  // A virtual machine that was suspended: its monotonic clock stood still.
  time = 3_600_000;
  expect(sets.isConfirmed('acme')).toBe(false);
});

test('a key set that could not be kept is kept as soon as it can be, and the one before it is not taken for it', async () => {
  const { keySet } = await testIssuer();
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-cache-'));
  const { accept } = keepKeySets(
    { sources: { acme: { audiences: ['x'] } } },
    dir,
    createLogger('test', 'silent'),
  );
  const file = join(dir, 'acme.json');
  accept(keySet);
  utimesSync(file, 1, 1);
  // Where its draft would be written stands a folder.
  mkdirSync(`${file}.new`);

  for (let tries = 0; tries < 2; tries++) accept({ ...keySet, version: 2 });
  expect([keySetCache(dir).read('acme')?.keySet.version, statSync(file).mtimeMs]).toEqual([1, 1000]);
  rmSync(`${file}.new`, { recursive: true });
  accept({ ...keySet, version: 2 });
  expect(keySetCache(dir).read('acme')?.keySet.version).toBe(2);

  rmSync(file);
  keepKeySets({ sources: { acme: { audiences: ['x'] } } }, dir, createLogger('test', 'silent')).accept(
    keySet,
  );
  expect(keySetCache(dir).read('acme')?.keySet.version).toBe(1);
  rmSync(dir, { recursive: true });
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
