import type { BuildName } from '@mayfly/build-store/writer';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sweepBuilds } from './sweep.ts';

const NOW = 1_800_000_000_000;
const INTERVAL_MS = 1000;
const SWEEP_MS = 250;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** One running build, `17` of a source with heartbeats, whose check is due; swept until disposed of. */
async function swept({ deadline = NOW + 60_000, hasHeartbeats = true } = {}) {
  const state = { listenedMs: 0, isFresh: true, found: 'running' };
  const putOff: { builds: BuildName[]; nextMs: number }[] = [];
  const ended: { id: string; attempt: number; reason: string }[] = [];
  const name = { source: 'acme', id: '17' };
  const sweep = {
    writer: {
      due: async () => ({ builds: [name], now: NOW }),
      async beat(builds: BuildName[], nextMs: number) {
        putOff.push({ builds, nextMs });
        return builds.length;
      },
      find: async () => ({
        state: state.found,
        attempt: 2,
        build: { deadline },
      }),
    },
    announce: {
      async ended({
        data: { id, attempt, reason },
      }: {
        data: { id: string; attempt: number; reason: string };
      }) {
        ended.push({ id, attempt, reason });
      },
    },
    heartbeatMs: () => (hasHeartbeats ? INTERVAL_MS : undefined),
    listenedMs: () => state.listenedMs,
    isFresh: () => state.isFresh,
    now: () => NOW,
  };
  const resources = new AsyncDisposableStack();
  sweepBuilds(sweep as never, resources, pino({ level: 'silent' }));
  return {
    ...{ state, putOff, ended, name },
    once: () => vi.advanceTimersByTimeAsync(SWEEP_MS),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

test('a heartbeat that is missing while nobody had listened for a whole interval gives the build another', async () => {
  await using build = await swept();
  build.state.listenedMs = INTERVAL_MS - 1;
  await build.once();
  expect(build.ended).toEqual([]);
  expect(build.putOff).toEqual([{ builds: [build.name], nextMs: INTERVAL_MS }]);

  build.state.listenedMs = INTERVAL_MS;
  await build.once();
  expect(build.ended).toEqual([{ id: '17', attempt: 2, reason: 'heartbeat' }]);
  expect(build.putOff).toHaveLength(1);
});

test('a build that is past its deadline ends, however long anybody listened', async () => {
  await using build = await swept({ deadline: NOW });
  await build.once();
  expect(build.ended).toEqual([{ id: '17', attempt: 2, reason: 'deadline' }]);
  expect(build.putOff).toEqual([]);
});

test('a build of a source without heartbeats is not looked at again before its deadline', async () => {
  await using build = await swept({ hasHeartbeats: false });
  build.state.listenedMs = Number.MAX_SAFE_INTEGER;
  await build.once();
  expect(build.ended).toEqual([]);
  expect(build.putOff).toEqual([{ builds: [build.name], nextMs: Number.MAX_SAFE_INTEGER }]);
});

test('nothing ends while the projection is not proven, and no build that has ended ends again', async () => {
  await using build = await swept({ deadline: NOW });
  build.state.isFresh = false;
  await build.once();
  expect(build.ended).toEqual([]);

  build.state.isFresh = true;
  build.state.found = 'finished';
  await build.once();
  expect(build.ended).toEqual([]);

  build.state.found = 'running';
  await build.once();
  expect(build.ended).toHaveLength(1);
});
