import type { ServiceError } from '@mayfly/contracts/errors';
import type { RedisLink } from '@mayfly/service-kit/redis';
import { expect, test } from 'vitest';
import { beginOnce, onceStore } from './once.ts';
import { NOW } from './testing.ts';

/** As much of a Redis as this keyspace uses, at one time, in one process or another. */
function testRedis() {
  const values = new Map<string, string>();
  const state: { runId: string; time: number; isDown: boolean } = {
    ...{ runId: 'a', time: NOW - 100, isDown: false },
  };
  const set = (key: string, value: string, isNew: boolean) => {
    if (isNew && values.has(key)) return null;
    values.set(key, value);
    return 'OK';
  };
  const up = <T>(value: () => T) =>
    state.isDown ? Promise.reject(new Error('down')) : Promise.resolve(value());
  const redis = {
    get: (key: string) => up(() => values.get(key) ?? null),
    time: () => up(() => [String(state.time), '0']),
    set: (key: string, value: string) => up(() => set(key, value, false)),
    multi: () => ({
      get: (read: string) => ({
        set: (key: string, value: string) => ({
          exec: () =>
            up(() => [
              [null, values.get(read) ?? null],
              [null, set(key, value, true)],
            ]),
        }),
      }),
    }),
  };
  return { link: { redis, runId: () => state.runId } as unknown as RedisLink, state, values };
}

const claims = (jti: string, iat = NOW) => ({ jti, iat, exp: NOW + 300 });

test('a token is used up once, and only if the memory is older than it', async () => {
  const { link, state } = testRedis();
  await beginOnce(link);
  const { consume } = onceStore(link);

  expect(await consume('acme', claims('x'))).toBe(true);
  expect(await consume('acme', claims('x'))).toBe(false);
  expect(await consume('other', claims('x'))).toBe(true);
  expect(await consume('acme', claims('old', state.time + 5))).toBe(false);
  expect(await consume('acme', claims('young', state.time + 6))).toBe(true);
});

test('another Redis process, and one that forgot everything, begin to remember anew', async () => {
  const { link, state, values } = testRedis();
  await beginOnce(link);
  const { consume } = onceStore(link);
  state.runId = 'b';
  state.time = NOW;
  expect(await consume('acme', claims('x'))).toBe(false);
  expect(await consume('acme', claims('y'))).toBe(false);
  expect(await consume('acme', claims('z', NOW + 6))).toBe(true);

  values.clear();
  state.time = NOW + 10;
  expect(await consume('acme', claims('z', NOW + 6))).toBe(false);
  expect(await consume('acme', claims('z', NOW + 6))).toBe(false);
  await beginOnce(link);
  expect(values.get('once:began')).toBe(`b ${(NOW + 10) * 1000}`);
});

test('nobody is told that a token was not used while Redis is away', async () => {
  const { link, state } = testRedis();
  await beginOnce(link);
  state.isDown = true;

  const code = await onceStore(link)
    .consume('acme', claims('x'))
    .catch((error: ServiceError) => error.code);
  expect(code).toBe('temporarily_unavailable');
});
