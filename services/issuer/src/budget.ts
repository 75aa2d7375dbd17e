import { recent } from '@mayfly/build-store/recent';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Redis } from 'ioredis';

/** Counts the tokens of a build's life, which is named by its reference as one word, across replicas. */
export type Budget = {
  /**
   * Counts one more token of at most `most`; gives how many were counted before. Forgotten at `expiresAt` (ms). Throws
   * `temporarily_unavailable`.
   */
  take(life: string, expiresAt: number, most: number): Promise<number>;
  /** Says whether one more can be counted now without a write. */
  isAtHand(life: string): boolean;
  /** Has the next counted where the last was given: to be told once somebody got a token. */
  countAhead(life: string, expiresAt: number, most: number): void;
  /** Gives back a number of a token that nobody got, to be taken again. */
  giveBack(life: string, number: number): void;
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
const NONE: Block = { next: 0, end: 0, size: 0, free: [] };

/** How many are counted at once, of at most `most`. */
const several = (most: number) => Math.max(1, Math.floor(most / 100));

/**
 * Takes a connection to Redis; gives the counts in it. They begin anew where Redis lost them. From a build's second
 * token on a replica counts a hundredth of what may be at once, so that few tokens cost a write, and the next hundredth once
 * it is told that a runner got the last number of one: never more than `most`, and from 200 on up to a hundredth a replica less.
 */
export function budget(redis: Pick<Redis, 'incrby' | 'pexpireat'>): Budget {
  const blocks = recent<Block>(REMEMBERED);
  const count = async (block: Block, life: string, size: number, expiresAt: number) => {
    const key = `issued:${life}`;
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
  const fill = (...[block, life, size, expiresAt]: Parameters<typeof count>): Promise<void> => {
    block.filling ??= count(block, life, size, expiresAt).finally(() => {
      block.filling = undefined;
    });
    return block.filling;
  };
  const blockOf = (life: string) => {
    const block = blocks.get(life) ?? { next: 0, end: 0, size: 0, free: [] };
    blocks.set(life, block);
    return block;
  };
  return {
    isAtHand(life) {
      const { next, end, free } = blocks.get(life) ?? NONE;
      return free.length > 0 || next < end;
    },
    countAhead(life, expiresAt, most) {
      const block = blocks.get(life) ?? NONE;
      // Should it fail, whoever asks next counts again.
      if (block.next === block.end && block.size > 1)
        fill(block, life, several(most), expiresAt).catch(() => undefined);
    },
    giveBack(life, number) {
      blockOf(life).free.push(number);
    },
    async take(life, expiresAt, most) {
      const block = blockOf(life);
      const free = block.free.pop();
      if (free !== undefined) return free;
      while (block.next >= block.end) {
        // The first alone: where many builds ask now and then, what is counted ahead would be forgotten before it is given out.
        await fill(block, life, block.size === 0 ? 1 : several(most), expiresAt);
      }
      return block.next++;
    },
  };
}
