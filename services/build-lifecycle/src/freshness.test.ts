import type { MarkKeeper } from '@mayfly/build-store/mark-keeper';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { keepFresh } from './freshness.ts';
import type { ReplayRange } from './progress.ts';

test('what was recorded before the projection is cleared is replayed, though it was delivered after progress was read', async () => {
  let delivered = 5;
  const stopping = new AbortController();
  const replayed = await new Promise<ReplayRange>((resolve) => {
    const marks: MarkKeeper = {
      prepare: async () => undefined,
      readMark: async () => ({ mark: undefined, now: 1000 }),
      writeMark: async () => true,
      holdRebuild: async () => true,
      releaseRebuild: async () => undefined,
      async clear() {
        delivered = 7;
      },
    };
    const upTo = (seq: number) => ({ floor: seq, delivered: seq });
    const projection = {
      marks,
      runId: () => 'this',
      connection: () => 1,
      progress: async () => ({
        ...{ stream: 'now', firstSeq: 1, endsWaiting: 0, at: 1000, oldestEndAt: undefined },
        ...{ starts: upTo(delivered), ends: upTo(delivered) },
      }),
      async replay(range: ReplayRange) {
        resolve(range);
        return 0;
      },
    };
    keepFresh(projection, stopping.signal, pino({ level: 'silent' }));
  });
  stopping.abort();

  expect(replayed).toEqual({ starts: { from: 1, to: 7 }, ends: { from: 1, to: 7 } });
});
