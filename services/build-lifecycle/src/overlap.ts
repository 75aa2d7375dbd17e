import type { Mark } from '@mayfly/build-store/layout';
import type { MarkKeeper } from '@mayfly/build-store/mark-keeper';
import type { Progress, ReplayRange } from './progress.ts';

type Projection = {
  marks: Pick<MarkKeeper, 'takeRebuild' | 'renewRebuild' | 'releaseRebuild'>;
  progress(): Promise<Progress>;
  replay(range: ReplayRange, beat: () => Promise<void>): Promise<number>;
};

/** What is still replayed after a Redis process took over from another. */
export type Overlap = {
  /** Takes what was replayed into a process and the mark that it had; begins where that was of another process. */
  begin(range: ReplayRange, mark: Mark | undefined, runId: string): void;
  /** Replays what was delivered since; gives the number of events, which is 0 where nothing overlaps. */
  catchUp(): Promise<number>;
};

/**
 * For how long somebody may go on recording in the predecessor, and acknowledge it, ms: a master that was paused comes
 * back with those replicas that Sentinel has not yet turned to its successor, which takes a few seconds.
 */
const OVERLAP_MS = 15_000;

/** Takes the projection, who replays, and a monotonic clock (ms); gives what replays over and again for a while. */
export function overlap(
  { marks, progress, replay }: Projection,
  owner: string,
  clock: () => number,
): Overlap {
  let open: { until: number; starts: number; ends: number } | undefined;
  return {
    begin({ starts, ends }, mark, runId) {
      if (mark && mark.runId !== runId)
        open = { until: clock() + OVERLAP_MS, starts: starts.to, ends: ends.to };
    },
    async catchUp() {
      if (!open || clock() > open.until) return 0;
      const { starts, ends } = await progress();
      const range = {
        starts: { from: open.starts + 1, to: starts.delivered },
        ends: { from: open.ends + 1, to: ends.delivered },
      };
      if (range.starts.from > range.starts.to && range.ends.from > range.ends.to) return 0;
      if (!(await marks.takeRebuild(owner))) return 0;
      try {
        const events = await replay(range, () => keepRight(marks, owner));
        open = { ...open, starts: starts.delivered, ends: ends.delivered };
        return events;
      } finally {
        await marks.releaseRebuild(owner);
      }
    },
  };
}

/** Renews the right to rebuild; throws where it is not the owner's any more. */
export async function keepRight(marks: Pick<MarkKeeper, 'renewRebuild'>, owner: string): Promise<void> {
  if (await marks.renewRebuild(owner)) return;
  throw new Error('another replica took over the rebuild, or the data was lost meanwhile');
}
