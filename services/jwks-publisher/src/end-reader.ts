import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';
import { AT_ONCE, windowReader } from './read-ends.ts';

/** Has the ends in LIFECYCLE, each once and in order. */
export type EndReader = {
  /** Hears that an end was stored, and the sequence of the one before it, 0 for none: takes it, or reads first what was missed. */
  stored(end: StoredEnd, before: number): void;
  /** Reads everything that can be read; resolves when done. */
  catchUp(): Promise<void>;
  /** Says whether nothing is still to be read of what was heard of, or the leader has. */
  isComplete(): boolean;
  /** Begins anew, from the beginning of the window. */
  restart(): void;
};

/** How long it is looked at once for an end that was heard of, ms. */
const AWAITED_MS = 3000;
/** How long it is waited for what the leader has and who is asked has not, ms. */
const REPLICATED_MS = 300;
/** How soon it is looked again for one that has not appeared, ms: each time later. */
const LOOK_AGAIN_MS = { first: 2, last: 32 };

/** Takes the stream, how far back to begin (ms), and who takes each end; gives the reader. */
export function endReader(log: LifecycleLog, windowMs: number, take: (end: StoredEnd) => void): EndReader {
  let cursor: number | undefined;
  /** The highest sequence that was heard of. */
  let latest = 0;
  const opening = windowReader(log, windowMs, take);
  const inOrder = oneAtATime();
  let isDraining = false;

  const isThere = () => (cursor ?? 0) >= latest;
  const advance = (end: StoredEnd) => {
    cursor = end.seq;
    take(end);
  };
  const begin = async () => {
    cursor ??= await opening.readAll();
  };
  /** Says whether there may be more. */
  const readNext = async (): Promise<boolean> => {
    const from = cursor;
    // Begun anew meanwhile.
    if (from === undefined) return false;
    const ends = await log.some(from + 1, AT_ONCE);
    // What was heard of meanwhile was taken.
    if (cursor !== from) return true;
    for (const end of ends) advance(end);
    return ends.length > 0;
  };
  /** Reads on until that is enough, or nothing more is there. */
  const readOn = async (isEnough: () => boolean) => {
    await begin();
    for (;;) {
      if (isEnough() || !(await readNext())) return;
    }
  };
  const readHeard = () => readOn(isThere);
  const drain = () => {
    if (isDraining) return;
    isDraining = true;
    tryUntil(isThere, () => inOrder(readHeard), AWAITED_MS)
      // What is still missing then, and whether it is there at all, is asked when it is looked next.
      .catch(() => undefined)
      .finally(() => {
        isDraining = false;
      });
  };
  const readAll = async () => {
    await begin();
    latest = await latestOf(log, () => latest);
    await readOn(() => false);
    // A replica of the stream is some milliseconds behind its leader.
    await tryUntil(isThere, readHeard, REPLICATED_MS);
  };
  return {
    catchUp: joined(inOrder, readAll),
    isComplete: isThere,
    restart() {
      cursor = undefined;
      opening.restart();
      latest = 0;
    },
    stored(end, before) {
      if (cursor !== undefined && end.seq <= cursor) return;
      latest = Math.max(latest, end.seq);
      if (cursor === before) advance(end);
      else drain();
    },
  };
}

/** Asks the leader how far the stream goes; gives the latest that there is. What was heard of beyond that before was lost. */
async function latestOf(log: LifecycleLog, heard: () => number): Promise<number> {
  const before = heard();
  const last = (await log.last())?.seq ?? 0;
  return heard() === before ? last : Math.max(heard(), last);
}

/** Acts, each time later, until that is so or it has taken too long. */
async function tryUntil(isSo: () => boolean, act: () => Promise<void>, withinMs: number): Promise<void> {
  const until = performance.now() + withinMs;
  let waitMs = LOOK_AGAIN_MS.first;
  while (!isSo() && performance.now() < until) {
    await act();
    if (!isSo()) await new Promise((resolve) => setTimeout(resolve, waitMs));
    waitMs = Math.min(waitMs * 2, LOOK_AGAIN_MS.last);
  }
}

/** Gives what acts in turn: who comes before its turn waits with all others who came. */
function joined(inOrder: (act: () => Promise<void>) => Promise<void>, act: () => Promise<void>) {
  let next: Promise<void> | undefined;
  return () => {
    next ??= inOrder(async () => {
      next = undefined;
      await act();
    });
    return next;
  };
}

/** Gives what begins an act once the one before it is over. */
function oneAtATime(): (act: () => Promise<void>) => Promise<void> {
  let last = Promise.resolve();
  return (act) => {
    last = last.catch(() => undefined).then(act);
    return last;
  };
}
