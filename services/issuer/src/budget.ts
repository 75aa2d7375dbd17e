import { recent } from '@mayfly/build-store/recent';
import { type BuildReference, writeBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Redis } from 'ioredis';

/** Counts the tokens of a build's life, across replicas. */
export type Budget = {
  /**
   * Counts one more token of at most `most`; gives how many were counted before. Forgotten at `expiresAt` (ms). Throws
   * `temporarily_unavailable`.
   */
  take(life: BuildReference, expiresAt: number, most: number): Promise<number>;
  /** Gives back a number of a token that nobody got, to be taken again. */
  giveBack(life: BuildReference, number: number): void;
};

/** Numbers that are counted in Redis and not given out yet, and the count that is under way. */
type Block = {
  next: number;
  end: number;
  /** How many were counted last. */
  size: number;
  free: number[];
  filling?: Promise<void> | undefined;
};

const REMEMBERED = 20_000;

/**
 * Takes a connection to Redis; gives the counts in it. They begin anew where Redis lost them. From a build's second
 * token on a replica counts a hundredth of what may be at once, so that few tokens cost a write, and after its last number the
 * next hundredth, so that few wait for one: never more than `most`, and from 200 on up to a hundredth a replica less.
 */
export function budget(redis: Pick<Redis, 'incrby' | 'pexpireat'>): Budget {
  const blocks = recent<Block>(REMEMBERED);
  const count = async (block: Block, key: string, size: number, expiresAt: number) => {
    try {
      // One round trip, for both leave in one turn; after the first count `NX` makes the second write nothing.
      const [counted] = await Promise.all([redis.incrby(key, size), redis.pexpireat(key, expiresAt, 'NX')]);
      block.next = counted - size;
      block.end = counted;
      block.size = size;
    } catch (cause) {
      throw new ServiceError('temporarily_unavailable', 'the tokens of the build cannot be counted', {
        cause,
      });
    }
  };
  const fill = (...[block, key, size, expiresAt]: Parameters<typeof count>): Promise<void> => {
    block.filling ??= count(block, key, size, expiresAt).finally(() => {
      block.filling = undefined;
    });
    return block.filling;
  };
  const blockOf = (key: string) => {
    const block = blocks.get(key) ?? { next: 0, end: 0, size: 0, free: [] };
    blocks.set(key, block);
    return block;
  };
  const keyOf = (life: BuildReference) => `issued:${writeBuildReference(life)}`;
  return {
    giveBack(life, number) {
      blockOf(keyOf(life)).free.push(number);
    },
    async take(life, expiresAt, most) {
      const key = keyOf(life);
      const block = blockOf(key);
      const free = block.free.pop();
      if (free !== undefined) return free;
      const several = Math.max(1, Math.floor(most / 100));
      while (block.next >= block.end) {
        // The first alone: where many builds ask now and then, what is counted ahead would be forgotten before it is given out.
        await fill(block, key, block.size === 0 ? 1 : several, expiresAt);
      }
      const number = block.next++;
      // Should it fail, whoever asks next counts again.
      if (block.next === block.end && block.size > 1)
        fill(block, key, several, expiresAt).catch(() => undefined);
      return number;
    },
  };
}
