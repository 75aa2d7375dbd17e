import { type BuildReference, writeBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Redis } from 'ioredis';

/** Counts the tokens of a build's life, across replicas. */
export type Budget = {
  /** Counts one more token; gives how many were counted before. Forgotten at `expiresAt` (ms). Throws `temporarily_unavailable`. */
  take(life: BuildReference, expiresAt: number): Promise<number>;
};

/** Takes a connection to Redis; gives the counts in it. They begin anew where Redis lost them. */
export function budget(redis: Redis): Budget {
  return {
    async take(life, expiresAt) {
      const key = `issued:${writeBuildReference(life)}`;
      try {
        // One round trip, for both leave in one turn; after the first token `NX` makes the second write nothing.
        const [count] = await Promise.all([redis.incr(key), redis.pexpireat(key, expiresAt, 'NX')]);
        return count - 1;
      } catch (cause) {
        throw new ServiceError('temporarily_unavailable', 'the tokens of the build cannot be counted', {
          cause,
        });
      }
    },
  };
}
