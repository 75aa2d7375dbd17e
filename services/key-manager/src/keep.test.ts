import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepEach, makeFit } from './keep.ts';
import { activeKey, emptyKeyring, type Keyring } from './keyring.ts';
import type { Shared } from './keyrings.ts';
import { fakeKeys, keepOnce, memoryStore, openSeal, RULES, silent } from './testing.ts';

const START = 1_800_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ now: START });
});
afterEach(() => {
  vi.useRealTimers();
});

/** Makes a keyring fit; tells what was published, and whether it is fit already. */
function fitting(keyring: Parameters<typeof makeFit>[0]) {
  const published: PublishedKeySet[] = [];
  const publish = async (keySet: PublishedKeySet) => {
    published.push(keySet);
    return keySet;
  };
  const fit = { published, isFit: false };
  void makeFit(keyring, { publish }, Date.now).then(() => {
    fit.isFit = true;
  });
  return fit;
}

test('a key that was never a standby is published for a while before it signs', async () => {
  const keyring = keepOnce(emptyKeyring('acme'), fakeKeys(), START, { isPublished: false });
  const fit = fitting(keyring);

  await vi.advanceTimersByTimeAsync(249);
  expect(fit.published[0]?.keys.map(({ kid }) => kid)).toContain(activeKey(keyring, 'RS256')?.kid);
  expect(fit.isFit).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  expect(fit.isFit).toBe(true);
});

test('another replica that published it a moment ago is waited for, and a standby that becomes active is not', async () => {
  const makeKey = fakeKeys();
  const begun = keepOnce(emptyKeyring('acme'), makeKey, START - 100);
  const rotated = keepOnce(begun, makeKey, START + RULES.rotateEveryMs);

  const [late, planned] = [fitting(begun), fitting(rotated)];

  await vi.advanceTimersByTimeAsync(149);
  expect([late.isFit, planned.isFit]).toEqual([false, true]);
  await vi.advanceTimersByTimeAsync(1);
  expect(late.isFit).toBe(true);
  expect([...late.published, ...planned.published]).toEqual([]);
});

function sharedWith(store = memoryStore(() => 0)): Shared {
  const makeKey = fakeKeys();
  return {
    ...{ store, seal: openSeal, log: silent, rules: () => RULES, now: Date.now },
    custody: { generate: async (alg) => makeKey(alg) },
  };
}

/** The algorithms of the keys that are kept for a source. */
async function keptAlgorithms(store: ReturnType<typeof memoryStore>, source: string): Promise<Set<string>> {
  const { sealed } = (await store.read(source)) ?? { sealed: '{"keys":[]}' };
  return new Set((JSON.parse(sealed) as Keyring).keys.map(({ alg }) => alg));
}

test('a replica whose clock is off by more than a minute changes nothing', async () => {
  const store = memoryStore(() => 0);

  await expect(keepEach(['acme'], START - 60_001, sharedWith(store))).rejects.toThrow('clock');
  await expect(keepEach(['acme'], START + 60_001, sharedWith(store))).rejects.toThrow('clock');
  expect(store.revision()).toBe(0);
  await keepEach(['acme'], START + 60_000, sharedWith(store));
  expect(await keptAlgorithms(store, 'acme')).toEqual(new Set(['ES256', 'RS256']));
});

test('a keyring that cannot be opened keeps no other from being kept', async () => {
  const store = memoryStore(() => 0);
  await store.replace('broken', 'not a keyring', 0);

  await expect(keepEach(['broken', 'acme'], START, sharedWith(store))).rejects.toThrow();

  expect(await keptAlgorithms(store, 'acme')).toEqual(new Set(['ES256', 'RS256']));
});
