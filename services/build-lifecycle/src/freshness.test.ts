import type { Mark } from '@mayfly/build-store/layout';
import { pino } from 'pino';
import { expect, test, vi } from 'vitest';
import { keepFresh } from './freshness.ts';
import type { ReplayRange } from './progress.ts';

type Beat = () => Promise<void>;

/** A projection that has to be rebuilt, kept fresh until disposed of; `replay` says what happens meanwhile. */
function unproven(replay: (range: ReplayRange, beat: Beat) => Promise<void>) {
  const state = { delivered: 5, connection: 1, isOurs: true, written: [] as Mark[], replays: 0 };
  const stopping = new AbortController();
  const upTo = () => ({ floor: state.delivered, delivered: state.delivered });
  const projection = {
    marks: {
      prepare: async () => undefined,
      readMark: async () => ({ mark: undefined as Mark | undefined, now: 1000 }),
      async writeMark(_owner: string, mark: Mark) {
        state.written.push(mark);
        return true;
      },
      takeRebuild: async () => true,
      renewRebuild: async () => state.isOurs,
      releaseRebuild: async () => undefined,
      clear: async () => undefined,
    },
    runId: () => 'this',
    connection: () => state.connection,
    progress: async () => ({
      ...{ stream: 'now', firstSeq: 1, endsWaiting: 0, at: 1000, oldestEndAt: undefined },
      ...{ starts: upTo(), ends: upTo() },
    }),
    async replay(range: ReplayRange, beat: Beat) {
      state.replays += 1;
      await replay(range, beat);
      return 0;
    },
  };
  const keep = () => keepFresh(projection, stopping.signal, pino({ level: 'silent' }));
  return { state, projection, keep, [Symbol.dispose]: () => stopping.abort() };
}

test('what was recorded before the projection is cleared is replayed, though it was delivered after progress was read', async () => {
  const ranges: ReplayRange[] = [];
  using rebuilt = unproven(async (range) => void ranges.push(range));
  rebuilt.projection.marks.clear = async () => {
    rebuilt.state.delivered = 7;
    return undefined;
  };
  rebuilt.keep();

  await vi.waitFor(() => expect(ranges[0]).toEqual({ starts: { from: 1, to: 7 }, ends: { from: 1, to: 7 } }));
});

test('what somebody else has rebuilt before the right to was ours is not rebuilt again', async () => {
  using rebuilt = unproven(async () => undefined);
  const floors = { stream: 'now', runId: 'this', firstSeq: 1, startsFloor: 5, endsFloor: 5 };
  rebuilt.projection.marks.takeRebuild = async () => {
    const mark = { ...floors, at: 1000, markedAt: 1000 };
    rebuilt.projection.marks.readMark = async () => ({ mark, now: 1000 });
    return true;
  };
  rebuilt.keep();

  await vi.waitFor(() => expect(rebuilt.state.written).not.toEqual([]));
  expect(rebuilt.state.replays).toBe(0);
});

test.each<[string, Partial<{ isOurs: boolean; connection: number }>, object]>([
  ['the data is lost, and the right with it,', { isOurs: false }, { isOurs: true }],
  ['Redis becomes another process', { connection: 2 }, {}],
])('a rebuild during which %s is worth no mark, and begins anew', async (_, lost, restored) => {
  using rebuilt = unproven(async (_range, beat) => {
    const { state } = rebuilt;
    if (state.replays > 1) return;
    Object.assign(state, lost);
    await beat().finally(() => Object.assign(state, restored));
  });
  rebuilt.keep();

  await vi.waitFor(() => expect(rebuilt.state.written).not.toEqual([]));
  expect(rebuilt.state.replays).toBe(2);
});

test('a mark is not written into another process than the one that it is about', async () => {
  using rebuilt = unproven(async () => {
    if (rebuilt.state.replays === 1) rebuilt.state.connection = 2;
  });
  rebuilt.keep();

  await vi.waitFor(() => expect(rebuilt.state.written).not.toEqual([]));
  expect(rebuilt.state.replays).toBe(2);
});
