import { expect, test } from 'vitest';
import { signJws } from './jws.ts';
import { activeKey, emptyKeyring } from './keyring.ts';
import { changeKeyring, keepKeyring, restoreKeyring, type Shared } from './keyrings.ts';
import { revokeKey } from './rotate.ts';
import { fakeKeys, memoryStore, openSeal, RULES, silent } from './testing.ts';
import { keyViews } from './views.ts';

/** Keys of which one signs. */
const SIGNING: unknown = expect.arrayContaining([expect.objectContaining({ alg: 'ES256', state: 'active' })]);

/** A replica: its clocks can be stopped, and its way to the leader cut. */
async function replica(store = memoryStore(() => 0), prepare = async () => {}) {
  const clocks = { monotonic: 0, wall: 1_800_000_000_000, leaderIsAhead: 0 };
  const link: { isCut: boolean } = { isCut: false };
  const makeKey = fakeKeys();
  const shared: Shared = {
    ...{ store, seal: openSeal, log: silent },
    custody: { generate: async (alg) => makeKey(alg) },
    rules: () => RULES,
    now: () => clocks.wall,
  };
  await keepKeyring('acme', shared);
  const views = keyViews({
    store: {
      async state() {
        if (link.isCut) throw new Error('cut');
        return { ...(await store.state()), time: clocks.wall + clocks.leaderIsAhead };
      },
      changedAfter: (revision) => store.changedAfter(revision),
    },
    open: openSeal.open,
    prepare,
    changed: () => undefined,
    monotonic: () => clocks.monotonic,
    wall: () => clocks.wall,
  });
  await views.confirm();
  await views.confirmed('acme');
  const revokeActive = () =>
    changeKeyring('acme', shared, (keyring) => ({
      keyring: revokeKey(keyring, activeKey(keyring, 'ES256')?.kid as string, 'test', clocks.wall),
    }));
  return { clocks, link, views, shared, revokeActive };
}

const TO_SIGN = {
  ...({ source: 'acme', typ: 'JWT', alg: 'ES256', issuer: 'https://id.example/acme' } as const),
  claims: { iat: 0, exp: 300 },
};
const kidOf = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()).kid;

test('a view is signed on for less than a second after the leader confirmed it, by the monotonic clock', async () => {
  const { clocks, link, views } = await replica();
  link.isCut = true;

  clocks.monotonic = 999;
  expect(views.now('acme')).toMatchObject({ keys: SIGNING });
  clocks.monotonic = 1000;
  expect(views.now('acme')).toBeUndefined();
  await expect(views.confirmed('acme')).rejects.toMatchObject({ code: 'temporarily_unavailable' });
});

test.for([5001, -5001])("while our clock is %i ms from the leader's nothing is signed", async (ms) => {
  const { clocks, views } = await replica();

  clocks.leaderIsAhead = ms;
  clocks.monotonic += 2000;
  await expect(views.confirmed('acme')).rejects.toMatchObject({ code: 'temporarily_unavailable' });
  expect(views.now('acme')).toBeUndefined();

  clocks.leaderIsAhead = Math.sign(ms) * 4999;
  await expect(views.confirmed('acme')).resolves.toMatchObject({ keys: SIGNING });
});

test('a machine that was suspended asks again, though its monotonic clock stood still', async () => {
  const { clocks, views } = await replica();

  clocks.wall += 60_000;

  expect(views.now('acme')).toBeUndefined();
  expect(await views.confirmed('acme')).toMatchObject({ keys: SIGNING });
});

test('an answer that took longer than a second confirms nothing', async () => {
  const { clocks, views } = await replica();
  const confirming = views.confirm();
  clocks.monotonic += 5000;
  await confirming;

  expect(views.now('acme')).toBeUndefined();
});

test('a process that is paused while it signs gives nothing away that a key signed which was revoked meanwhile', async () => {
  const { clocks, views, revokeActive } = await replica();
  const before = activeKey(await views.confirmed('acme'), 'ES256')?.kid;
  let pauses = 0;
  const custody = {
    async sign() {
      if (pauses++ > 0) return 'signature';
      await revokeActive();
      clocks.monotonic += 60_000;
      clocks.wall += 60_000;
      return 'signature';
    },
  };

  const token = await signJws(TO_SIGN, { views, custody });

  expect(kidOf(token)).not.toBe(before);
  expect(pauses).toBe(2);
});

test('a process that is paused while it signs, and then finds no leader, gives nothing away', async () => {
  const { clocks, link, views } = await replica();
  const custody = {
    async sign() {
      clocks.monotonic += 60_000;
      link.isCut = true;
      return 'signature';
    },
  };

  await expect(signJws(TO_SIGN, { views, custody })).rejects.toMatchObject({
    code: 'temporarily_unavailable',
  });
});

test('what another replica changed is known after one question, and a lost bucket is no reason to go on', async () => {
  const store = memoryStore(() => 0);
  const { views, revokeActive } = await replica(store);
  const changed = await revokeActive();
  await views.confirm();
  expect(await views.confirmed('acme')).toEqual(changed);

  store.state = async () => ({ created: 'anew', revision: 0, time: 0 });
  await views.confirm();

  expect(views.now('acme')).toBeUndefined();
});

test('while changes of several keyrings are read, tokens are signed as before them, and then with all of them', async () => {
  const store = memoryStore(() => 0);
  const { views, shared, revokeActive } = await replica(store);
  const before = await views.confirmed('acme');
  const after = await revokeActive();
  await keepKeyring('other', shared);
  const { changedAfter } = store;
  const reading = Promise.withResolvers<void>();
  const isRead = Promise.withResolvers<void>();
  store.changedAfter = async (revision) => {
    const next = await changedAfter(revision);
    if (next?.source !== 'other') return next;
    reading.resolve();
    await isRead.promise;
    return next;
  };

  const confirming = views.confirm();
  await reading.promise;
  expect(await views.confirmed('acme')).toEqual(before);
  isRead.resolve();
  await confirming;

  expect(await views.confirmed('acme')).toEqual(after);
  expect(await views.confirmed('other')).toMatchObject({ keys: SIGNING });
});

test('what was read of many changes before a failure is not read again', async () => {
  const store = memoryStore(() => 0);
  const { views, shared } = await replica(store);
  const before = store.revision();
  for (const source of ['one', 'two', 'three']) await keepKeyring(source, shared);
  const { changedAfter } = store;
  const asked: number[] = [];
  store.changedAfter = async (revision) => {
    asked.push(revision);
    if (asked.length === 3) throw new Error('not now');
    return await changedAfter(revision);
  };

  await expect(views.confirm()).rejects.toThrow('not now');
  expect(views.now('one')).toBeUndefined();
  await views.confirm();

  expect(asked[0]).toBe(before);
  expect(new Set(asked).size).toBe(asked.length - 1);
  expect(await views.confirmed('three')).toMatchObject({ keys: SIGNING });
});

test('what could not be prepared is prepared anew for whoever asks next, and what cannot be read is not signed on for long', async () => {
  const store = memoryStore(() => 0);
  let failures = 0;
  const { clocks, views, revokeActive } = await replica(store, async () => {
    if (failures-- > 0) throw new Error('not now');
  });
  failures = 1;
  const after = await revokeActive();
  await views.confirm();
  expect(await views.confirmed('acme')).toEqual(after);

  await revokeActive();
  store.changedAfter = async () => undefined;
  await expect(views.confirm()).rejects.toThrow('does not give what it has');
  clocks.monotonic += 1000;
  await expect(views.confirmed('acme')).rejects.toMatchObject({ code: 'temporarily_unavailable' });
});

test('a token that would outlive its key is not signed', async () => {
  const { views } = await replica();
  const custody = { sign: async () => 'signature' };
  const long = { ...TO_SIGN, claims: { iat: 0, exp: 3601 } };

  await expect(signJws(long, { views, custody })).rejects.toMatchObject({ code: 'temporarily_unavailable' });
});

test('of replicas that make the first keyring at once, all end with one and the same', async () => {
  const store = memoryStore(() => 0);
  const { shared } = await replica(memoryStore(() => 0));
  const all = await Promise.all(Array.from({ length: 5 }, () => keepKeyring('new', { ...shared, store })));

  expect(new Set(all.map((keyring) => JSON.stringify(keyring.keys.map(({ kid }) => kid)))).size).toBe(1);
  expect(all[0]?.keys).not.toEqual(emptyKeyring('new').keys);
});

test('a keyring that comes back as it was before a key was revoked is not signed on, and the newer one is written again', async () => {
  const store = memoryStore(() => 0);
  const { views, shared, revokeActive } = await replica(store);
  const before = await views.confirmed('acme');
  const revoked = await revokeActive();
  await views.confirm();
  expect(await views.confirmed('acme')).toEqual(revoked);

  // A power cut takes the last write with it, or a backup is put back.
  const stored = await store.read('acme');
  const { revision } = stored as { revision: number };
  await store.replace('acme', await openSeal.close(before), revision);
  await views.confirm();
  expect(views.now('acme')).toBeUndefined();
  await expect(views.confirmed('acme')).rejects.toMatchObject({ code: 'temporarily_unavailable' });

  expect(views.wentBack()).toEqual(['acme']);
  await restoreKeyring('acme', { ...shared, newest: views.newest });
  await views.confirm();

  const { version, keys } = await views.confirmed('acme');
  expect(version).toBe(revoked.version);
  expect(keys.map(({ kid, state }) => [kid, state])).toEqual(
    revoked.keys.map(({ kid, state }) => [kid, state]),
  );
  expect(views.wentBack()).toEqual([]);
});

test('a keyring that went back unseen, behind the change of another source, is put right by the next that is done to it', async () => {
  const store = memoryStore(() => 0);
  const { views, shared, revokeActive } = await replica(store);
  const before = await views.confirmed('acme');
  const revoked = await revokeActive();
  await views.confirm();
  const { revision } = (await store.read('acme')) as { revision: number };
  await store.replace('acme', await openSeal.close(before), revision);

  const kept = await keepKeyring('acme', { ...shared, newest: views.newest });

  expect(kept.version).toBe(revoked.version);
  expect(kept.revoked).toEqual(revoked.revoked);
});
