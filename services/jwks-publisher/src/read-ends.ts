import { ServiceError } from '@mayfly/contracts/errors';
import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';

/**
 * How many read at the same time. Whoever opens its feed under load reads hundreds of thousands of ends beside those who have
 * builds to end: of what the machine and NATS have, a few readers leave the most to them.
 */
const WALKERS = 4;
/** How many ends one question asks for: what takes a few milliseconds, here and of NATS. */
export const AT_ONCE = 64;
/** How many sequences are read before they are taken, so that what fails then begins again there. */
const SEQUENCES_A_PART = 4000;

/** Reads the ends of a window, part by part. */
export type WindowReader = {
  /** Reads until nothing more is there, after a failure from the part that failed on; gives the last sequence. */
  readAll(): Promise<number>;
  /** Begins anew, from the beginning of the window. */
  restart(): void;
};

/** Takes the stream, how far back to begin (ms), and who takes each end; gives the reader. */
export function windowReader(
  log: LifecycleLog,
  windowMs: number,
  take: (end: StoredEnd) => void,
): WindowReader {
  let after: number | undefined;
  const begins = () => Date.now() - windowMs;
  /** Gives the last sequence, once nothing more is there. */
  const readPart = async (): Promise<number | undefined> => {
    after ??= await lastBefore(begins(), log);
    const from = after;
    const { ends, to, isLast } = await readEndsAfter(from, log);
    // Begun anew meanwhile.
    if (after !== from) return undefined;
    // A stream that ends before what was read of it is another one.
    if (to < from) {
      after = undefined;
      return undefined;
    }
    for (const end of ends.filter(({ storedAt }) => storedAt >= begins())) take(end);
    after = to;
    return isLast ? to : undefined;
  };
  return {
    async readAll() {
      for (;;) {
        const last = await readPart();
        if (last !== undefined) return last;
      }
    },
    restart() {
      after = undefined;
    },
  };
}

/** Gives the sequence after which everything stands that was stored since then (ms): 0 where nothing was stored at all. */
export async function lastBefore(time: number, log: LifecycleLog): Promise<number> {
  const last = await log.last();
  const first = await log.next(1);
  if (!first || !last) return 0;
  return (await firstSince(time, first.seq, last.seq, log)) - 1;
}

/** Reads the ends after a sequence, in order, and says up to which nothing is missing, and whether that is the last there is. */
export async function readEndsAfter(
  after: number,
  log: LifecycleLog,
): Promise<{ ends: StoredEnd[]; to: number; isLast: boolean }> {
  const last = (await log.last())?.seq ?? 0;
  const to = Math.min(after + SEQUENCES_A_PART, last);
  const share = Math.ceil((to - after) / WALKERS);
  const parts = await Promise.all(
    Array.from({ length: WALKERS }, (_, index) => {
      const begin = after + 1 + index * share;
      return walk(begin, Math.min(begin + share - 1, to), log);
    }),
  );
  return { ends: parts.flat(), to, isLast: to === last };
}

/** Finds a sequence, from `low` to `high`, before which nothing was stored since then. */
async function firstSince(time: number, first: number, last: number, log: LifecycleLog): Promise<number> {
  let [low, high] = [first, last];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const there = await log.next(middle);
    if (!there || there.storedAt >= time) high = middle;
    else low = Math.min(there.seq + 1, high);
  }
  return low;
}

async function walk(from: number, to: number, log: LifecycleLog): Promise<StoredEnd[]> {
  const ends: StoredEnd[] = [];
  for (let seq = from; seq <= to; ) {
    const some = await log.some(seq, AT_ONCE);
    ends.push(...some.filter((end) => end.seq <= to));
    const last = some.at(-1);
    // There is an end at `to` or after it: whoever does not have it is behind, and what it lacks would be missed for good.
    if (!last) throw new ServiceError('temporarily_unavailable', 'a replica of the ends of builds is behind');
    seq = last.seq + 1;
  }
  return ends;
}
