import { ServiceError } from '@mayfly/contracts/errors';
import type { Redis } from 'ioredis';
import { batched } from './batched.ts';
import { MARK_KEY, type Mark, readMark, redisTime } from './layout.ts';

/** How old the proof of freshness may be, ms by Redis's own clock. */
export const FRESH_MS = 2000;

/** A connection to Redis, and the process that answers there. */
export type Link = { redis: Redis; runId(): string | undefined };

/** What is under a key at one moment, by Redis's clock (ms), and the mark of that moment. */
export type Proven = { value: string | null; now: number; mark: Mark };

/** Seconds and microseconds of Redis's clock, then the mark and what was asked for. */
type Reply = [string, string, (string | null)[]];

/** Most keys of one question: what Redis answers in a fraction of a millisecond. */
const MAX_BATCH = 128;

/**
 * Takes a connection and the function of Redis that reads; gives the reader of a key. It throws `temporarily_unavailable`
 * unless the projection was proven fresh, for this Redis process, within the last two seconds. What is asked for in one
 * turn of the event loop is read together, in one step with one proof, after all of it was asked.
 */
export function provenRead({ redis, runId }: Link, name: 'builds_read' | 'lives_read') {
  return batched<string, Proven>(MAX_BATCH, async (asked) => {
    const [seconds, micros, [markText = null, ...values]] = await ask(redis, name, [MARK_KEY, ...asked]);
    const now = redisTime(seconds, micros);
    const mark = readMark(markText);
    const process = runId();
    if (!mark || !process || mark.runId !== process || !isRecent(mark.at, now)) {
      throw new ServiceError('temporarily_unavailable', 'the state of builds is not known just now');
    }
    return values.map((value) => ({ value, now, mark }));
  });
}

/** Says whether `at` is recent enough to be believed `now`; what is of the future is of before the clock was set back. */
export function isRecent(at: number, now: number): boolean {
  return Math.abs(now - at) <= FRESH_MS;
}

async function ask(redis: Redis, name: string, keys: string[]): Promise<Reply> {
  try {
    return (await redis.fcall_ro(name, keys.length, ...keys)) as Reply;
  } catch (cause) {
    throw new ServiceError('temporarily_unavailable', 'the state of builds cannot be read', { cause });
  }
}
