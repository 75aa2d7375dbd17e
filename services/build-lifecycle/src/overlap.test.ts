import { expect, test } from 'vitest';
import { overlap } from './overlap.ts';
import type { ReplayRange } from './progress.ts';

function takenOver() {
  const state = { delivered: 5, now: 0, isHeld: false, replayed: [] as ReplayRange[] };
  const upTo = () => ({ floor: state.delivered, delivered: state.delivered });
  const projection = {
    marks: {
      takeRebuild: async () => !state.isHeld,
      renewRebuild: async () => !state.isHeld,
      releaseRebuild: async () => undefined,
    },
    progress: async () => ({
      ...{ stream: 'now', firstSeq: 1, endsWaiting: 0, at: 1000, oldestEndAt: undefined },
      ...{ starts: upTo(), ends: upTo() },
    }),
    async replay(range: ReplayRange) {
      state.replayed.push(range);
      return 1;
    },
  };
  const after = overlap(projection, 'us', () => state.now);
  return { state, after };
}

const MARK = { stream: 'now', runId: 'other', startsFloor: 0, endsFloor: 0, firstSeq: 1, at: 0, markedAt: 0 };
const RANGE = { starts: { from: 1, to: 5 }, ends: { from: 1, to: 5 } };

test('what is acknowledged after a process took over is replayed into it, each event once, for a while', async () => {
  const { state, after } = takenOver();
  after.begin(RANGE, MARK, 'this');

  expect(await after.catchUp()).toBe(0);
  state.delivered = 7;
  await after.catchUp();
  await after.catchUp();
  state.delivered = 9;
  state.isHeld = true;
  await after.catchUp();
  state.isHeld = false;
  await after.catchUp();
  state.delivered = 11;
  state.now = 20_000;
  await after.catchUp();

  expect(state.replayed).toEqual([
    { starts: { from: 6, to: 7 }, ends: { from: 6, to: 7 } },
    { starts: { from: 8, to: 9 }, ends: { from: 8, to: 9 } },
  ]);
});

test('nothing is replayed where no process took over', async () => {
  const { state, after } = takenOver();
  after.begin(RANGE, undefined, 'this');
  after.begin(RANGE, { ...MARK, runId: 'this' }, 'this');
  state.delivered = 7;

  expect(await after.catchUp()).toBe(0);
  expect(state.replayed).toEqual([]);
});
