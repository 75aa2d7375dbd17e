import { ServiceError } from '@mayfly/contracts/errors';
import type { Redis } from 'ioredis';
import { guarded } from './guarded.ts';
import {
  CHECKS_KEY,
  MARK_KEY,
  type Mark,
  markFields,
  REBUILDING_KEY,
  readMark,
  redisTime,
} from './layout.ts';
import { LIBRARY } from './library.ts';

/** Keeps the mark of freshness, and the right to rebuild what it marks. */
export type MarkKeeper = {
  /** Loads the functions; needed once after each connection. Throws where Redis would evict builds. */
  prepare(): Promise<void>;
  /** Gives the mark, and Redis's time (ms). */
  readMark(): Promise<{ mark: Mark | undefined; now: number }>;
  /**
   * Writes the mark. Its times are Redis's own, read before JetStream was asked: a write that a paused Redis does later
   * proves no more than it did. Does not where another owner is rebuilding, or the data was lost meanwhile; says whether
   * it did.
   */
  writeMark(owner: string, mark: Mark): Promise<boolean>;
  /** Says whether `owner` may rebuild from now on; the right lasts 5 s, unless it is renewed. */
  takeRebuild(owner: string): Promise<boolean>;
  /** Renews the right; says whether it still was the owner's: not where the data was lost meanwhile, and the right with it. */
  renewRebuild(owner: string): Promise<boolean>;
  /** Gives the right back, where it is the owner's. */
  releaseRebuild(owner: string): Promise<void>;
  /** Forgets every build and the mark: for another stream than the one they came from. */
  clear(): Promise<void>;
};

// As long as this, other replicas wait for one that died while it rebuilt.
const REBUILD_HELD_MS = 5000;

/** Takes a connection to Redis; gives the keeper of the mark over it. Throws `temporarily_unavailable` where Redis fails. */
export function markKeeper(redis: Redis): MarkKeeper {
  const renew = async (owner: string, ms: number) =>
    (await guarded(redis.fcall('rebuild_renew', 1, REBUILDING_KEY, owner, ms))) === 1;
  return {
    async prepare() {
      const memory = await guarded(redis.info('memory'));
      if (!/^maxmemory_policy:noeviction\b/m.test(memory)) {
        throw new ServiceError('temporarily_unavailable', 'redis must be set to maxmemory-policy noeviction');
      }
      await guarded(redis.function('LOAD', 'REPLACE', LIBRARY));
    },
    async readMark() {
      const reply = await guarded(redis.fcall_ro('builds_read', 1, MARK_KEY));
      const [seconds, micros, [text = null]] = reply as [string, string, (string | null)[]];
      return { mark: readMark(text), now: redisTime(seconds, micros) };
    },
    async writeMark(owner, mark) {
      const args = [owner, ...markFields(mark)];
      return (await guarded(redis.fcall('mark_write', 2, MARK_KEY, REBUILDING_KEY, ...args))) === 1;
    },
    async takeRebuild(owner) {
      const taken = await guarded(redis.set(REBUILDING_KEY, owner, 'PX', REBUILD_HELD_MS, 'NX'));
      return taken === 'OK' || (await renew(owner, REBUILD_HELD_MS));
    },
    renewRebuild: (owner) => renew(owner, REBUILD_HELD_MS),
    async releaseRebuild(owner) {
      await renew(owner, 0);
    },
    async clear() {
      await guarded(redis.unlink(MARK_KEY, CHECKS_KEY));
      for (const match of ['build:*', 'status:*']) {
        for await (const keys of redis.scanStream({ match, count: 1000 })) {
          if (keys.length > 0) await guarded(redis.unlink(...(keys as string[])));
        }
      }
    },
  };
}
