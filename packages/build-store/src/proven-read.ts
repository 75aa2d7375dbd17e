import { ServiceError } from '@mayfly/contracts/errors';
import type { Redis } from 'ioredis';
import { MARK_KEY, type Mark, readMark } from './layout.ts';

/** How old the proof of freshness may be, ms by Redis's own clock. */
export const FRESH_MS = 2000;

/** A connection to Redis, and the process that answers there. */
export type Link = { redis: Redis; runId(): string | undefined };

/** What is under a key at one moment, by Redis's clock (ms), and the mark of that moment. */
export type Proven = { value: string | null; now: number; mark: Mark };

type Reply = [string | null, string | null, string, string];

/**
 * Takes a connection and the function of Redis that reads; gives the reader of a key. It throws `temporarily_unavailable`
 * unless the projection was proven fresh, for this Redis process, within the last two seconds.
 */
export function provenRead({ redis, runId }: Link, name: 'build_read' | 'life_read') {
  return async (key: string): Promise<Proven> => {
    const [markText, value, seconds, micros] = await ask(redis, name, key);
    const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    const mark = readMark(markText);
    const process = runId();
    if (!mark || !process || mark.runId !== process || !isRecent(mark.at, now)) {
      throw new ServiceError('temporarily_unavailable', 'the state of builds is not known just now');
    }
    return { value, now, mark };
  };
}

/** Says whether `at` is recent enough to be believed `now`; what is of the future is of before the clock was set back. */
export function isRecent(at: number, now: number): boolean {
  return Math.abs(now - at) <= FRESH_MS;
}

async function ask(redis: Redis, name: string, key: string): Promise<Reply> {
  try {
    return (await redis.fcall_ro(name, 2, MARK_KEY, key)) as Reply;
  } catch (cause) {
    throw new ServiceError('temporarily_unavailable', 'the state of builds cannot be read', { cause });
  }
}
