import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';

const WALKERS = 16;

/** Reads the ends that were stored since then (ms), in order, and the last sequence up to which nothing is missing. */
export async function readEndsSince(
  time: number,
  log: LifecycleLog,
): Promise<{ ends: StoredEnd[]; last: number }> {
  const last = await log.last();
  const first = await log.next(1);
  if (!first || !last) return { ends: [], last: 0 };
  const from = await firstSince(time, first.seq, last.seq, log);
  const share = Math.ceil((last.seq - from + 1) / WALKERS);
  const parts = await Promise.all(
    Array.from({ length: WALKERS }, (_, index) => {
      const begin = from + index * share;
      return walk(begin, Math.min(begin + share - 1, last.seq), log);
    }),
  );
  return { ends: parts.flat().filter(({ storedAt }) => storedAt >= time), last: last.seq };
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
  for (let seq = from; seq <= to; seq++) {
    const end = await log.next(seq);
    if (!end || end.seq > to) break;
    ends.push(end);
    seq = end.seq;
  }
  return ends;
}
