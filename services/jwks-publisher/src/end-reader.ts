import { recent } from '@mayfly/build-store/recent';
import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';
import { readEndsSince } from './read-ends.ts';

/** Reads the ends in LIFECYCLE, each once and in order. */
export type EndReader = {
  /** Hears that an event with this id was announced, and reads until it has come. */
  heard(eventId: string): void;
  /** Reads everything that is there; resolves when done. */
  catchUp(): Promise<void>;
  /** Says whether nothing that was announced is still to be read. */
  isComplete(): boolean;
  /** Begins anew, from the beginning of the window. */
  restart(): void;
};

/** How long an announced event may take to appear in the stream, ms. */
const AWAITED_MS = 3000;
/** How soon it is looked again for one that has not appeared, ms: each time later. */
const LOOK_AGAIN_MS = { first: 2, last: 32 };
/** How many ends that were read are known again: one may be announced here after it was read. */
const KNOWN = 4000;

/** Takes the stream, how far back to begin (ms), and who takes each end; gives the reader. */
export function endReader(log: LifecycleLog, windowMs: number, take: (end: StoredEnd) => void): EndReader {
  const awaited = new Map<string, number>();
  const known = recent<true>(KNOWN);
  let cursor: number | undefined;
  const inOrder = oneAtATime();
  let next: Promise<void> | undefined;
  let isDraining = false;

  const advance = (end: StoredEnd) => {
    cursor = end.seq;
    awaited.delete(end.eventId);
    known.set(end.eventId, true);
    take(end);
  };
  /** Reads on until that is enough, or nothing more is there. */
  const readOn = async (isEnough: () => boolean) => {
    if (cursor === undefined) {
      const read = await readEndsSince(Date.now() - windowMs, log);
      for (const end of read.ends) advance(end);
      cursor = read.last;
    }
    while (!isEnough()) {
      const from: number = cursor;
      const end = await log.next(from + 1);
      // Nothing more, or begun anew meanwhile.
      if (!end || cursor !== from) return;
      advance(end);
    }
  };
  /** Who comes while one is read waits for the next, with all others who came. */
  const catchUp = () => {
    next ??= inOrder(async () => {
      next = undefined;
      await readOn(() => false);
    });
    return next;
  };
  const drain = async () => {
    for (
      let waitMs = LOOK_AGAIN_MS.first;
      awaited.size > 0;
      waitMs = Math.min(waitMs * 2, LOOK_AGAIN_MS.last)
    ) {
      // What was announced is read and nothing after it: to ask whether there is more takes as long as to read it.
      await inOrder(() => readOn(() => awaited.size === 0));
      const oldest = performance.now() - AWAITED_MS;
      for (const [id, at] of awaited) if (at < oldest) awaited.delete(id);
      if (awaited.size > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  };
  return {
    catchUp,
    isComplete: () => awaited.size === 0,
    restart() {
      cursor = undefined;
    },
    heard(eventId) {
      if (known.get(eventId)) return;
      awaited.set(eventId, performance.now());
      if (isDraining) return;
      isDraining = true;
      drain()
        .catch(() => awaited.clear())
        .finally(() => {
          isDraining = false;
        });
    },
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
