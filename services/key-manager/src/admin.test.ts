import { expect, test } from 'vitest';
import { type Administration, KEY_COMMANDS } from './admin.ts';
import { keepKeyring } from './keyrings.ts';
import { fakeKeys, HOUR_MS, memoryStore, openSeal, RULES, silent } from './testing.ts';
import { keyViews } from './views.ts';

const START = 1_800_000_000_000;

async function administration() {
  const clock = { now: START, offset: 0 };
  const store = memoryStore(() => clock.now);
  const makeKey = fakeKeys();
  const views = keyViews({
    ...{ store, open: openSeal.open, prepare: async () => undefined, changed: () => undefined },
    ...{ monotonic: () => clock.now, wall: () => clock.now },
  });
  const admin: Administration = {
    ...{ store, views, seal: openSeal, log: silent, sources: ['acme', 'other'] },
    custody: { generate: async (alg) => makeKey(alg) },
    rules: () => RULES,
    now: () => clock.now + clock.offset,
  };
  for (const source of admin.sources) await keepKeyring(source, admin);
  const ask = async (verb: string, fields: object) => {
    const command = KEY_COMMANDS[verb] as (typeof KEY_COMMANDS)[string];
    const answer = await command({ type: `dev.mayfly.admin.keys.${verb}`, by: 'me', ...fields }, admin);
    return 'keys' in answer ? answer.keys : [answer];
  };
  const kidOf = async (alg: string, state: string): Promise<{ kid: string }> => {
    const keys = await ask('list', { source: 'acme' });
    return keys.find((key) => 'kid' in key && key.alg === alg && key.state === state) as { kid: string };
  };
  return { clock, store, ask, kidOf, admin };
}

test('a rotation by command waits for publish_ahead and says until when; then it is one rotation, of one algorithm', async () => {
  const { clock, ask, kidOf } = await administration();
  const standby = await kidOf('ES256', 'prepared');
  const rsa = await kidOf('RS256', 'active');

  expect(await ask('rotate', { source: 'acme', alg: 'ES256' })).toEqual([
    expect.objectContaining({ error: 'conflict', not_before: (START + 26 * HOUR_MS) / 1000 }),
  ]);
  clock.now += 26 * HOUR_MS;
  await ask('rotate', { source: 'acme', alg: 'ES256' });

  expect((await kidOf('ES256', 'active')).kid).toBe(standby.kid);
  expect((await kidOf('RS256', 'active')).kid).toBe(rsa.kid);
  expect(await ask('rotate', { source: 'acme', alg: 'ES256' })).toEqual([
    expect.objectContaining({ error: 'conflict', not_before: (START + 52 * HOUR_MS) / 1000 }),
  ]);
});

test('a revocation that is repeated, since its answer was lost, revokes nothing more', async () => {
  const { ask, kidOf, store } = await administration();
  const { kid } = await kidOf('RS256', 'active');

  const first = await ask('revoke', { kid, reason: 'lost' });
  const revision = store.revision();
  const second = await ask('revoke', { kid, reason: 'lost' });

  expect(second).toEqual(first);
  expect(store.revision()).toBe(revision);
  expect(first).toContainEqual(expect.objectContaining({ kid, state: 'revoked', reason: 'lost' }));
});

test('a standby and a retired key can be revoked too, and signing goes on with the same key', async () => {
  const { clock, ask, kidOf } = await administration();
  clock.now += 26 * HOUR_MS;
  await ask('rotate', { source: 'acme' });
  const active = await kidOf('ES256', 'active');

  const [standby, retired] = [await kidOf('ES256', 'prepared'), await kidOf('ES256', 'retired')];
  for (const { kid } of [standby, retired]) await ask('revoke', { kid, reason: 'lost' });

  expect(await kidOf('ES256', 'active')).toEqual(active);
  expect(await kidOf('ES256', 'retired')).toBeUndefined();
  const next = await kidOf('ES256', 'prepared');
  expect([standby.kid, active.kid, retired.kid]).not.toContain(next.kid);
});

test('the list tells the state, the times and what comes next, and nothing private', async () => {
  const { ask } = await administration();
  const keys = await ask('list', {});

  expect(keys).toHaveLength(8);
  expect(JSON.stringify(keys)).not.toContain('private');
  expect(keys[0]).toMatchObject({
    state: 'active',
    activated_at: START / 1000,
    next: { state: 'retired', at: START / 1000 + 30 * 86_400 },
  });
});

test('a replica whose clock is off by hours rotates and revokes by the clock of the leader', async () => {
  const { clock, ask, kidOf } = await administration();
  clock.now += 26 * HOUR_MS;
  clock.offset = -3 * HOUR_MS;
  await ask('rotate', { source: 'acme', alg: 'ES256' });

  expect(await kidOf('ES256', 'retired')).toMatchObject({ retired_at: clock.now / 1000 });
  clock.offset = 30 * 24 * HOUR_MS;
  const { kid } = await kidOf('RS256', 'prepared');
  await ask('revoke', { kid, reason: 'lost' });

  // By its own clock the retired key would be gone, and the active one retired.
  expect(await kidOf('ES256', 'retired')).toMatchObject({ retired_at: clock.now / 1000 });
  expect(await kidOf('RS256', 'active')).toMatchObject({ activated_at: START / 1000 });
});

test('a key that nobody has is only said not to be there where every keyring could be read', async () => {
  const { ask, admin, store } = await administration();
  await expect(ask('revoke', { kid: 'nobody', reason: 'lost' })).rejects.toMatchObject({ code: 'not_found' });

  admin.store = {
    ...store,
    read: (source) => (source === 'other' ? Promise.reject(new Error('no leader')) : store.read(source)),
  };

  await expect(ask('revoke', { kid: 'nobody', reason: 'lost' })).rejects.toMatchObject({
    code: 'temporarily_unavailable',
  });
});
