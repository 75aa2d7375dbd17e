import { MARK_KEY, readMark, redisTime, statusListPrefix } from '@mayfly/build-store/layout';
import { FRESH_MS, isRecent } from '@mayfly/build-store/proven-read';
import { ServiceError } from '@mayfly/contracts/errors';
import type { RedisLink } from '@mayfly/service-kit/redis';

/** Which builds of one list run, and the stream that the list is of. */
export type RunningBuilds = {
  /** Bit `seq mod 2^16` is 1 while that build runs, highest bit of a byte first; what is missing does not run. */
  bits: Uint8Array;
  /** When BUILDS was created, ms since 1970. */
  streamCreatedMs: number;
  firstSeq: number;
  lastSeq: number;
  /** When it was read, by Redis's clock, ms. */
  now: number;
  /** How much longer the proof of freshness holds, ms. */
  freshForMs: number;
};

/** Reads which builds run, or does not know. */
export type RunningBuildsReader = {
  /** Throws `temporarily_unavailable` unless the projection was proven fresh within the last two seconds. */
  read(source: string, list: number): Promise<RunningBuilds>;
};

/** Takes a connection to Redis; gives the reader of the bitmaps in it. */
export function runningBuildsReader({ redis, runId }: RedisLink): RunningBuildsReader {
  return {
    async read(source, list) {
      const [seconds, micros, [markText, bits]] = await ask(redis, `${statusListPrefix(source)}${list}`);
      const mark = readMark(markText?.toString() ?? null);
      const now = redisTime(`${seconds}`, `${micros}`);
      const freshForMs = mark && isRecent(mark.at, now) ? mark.at + FRESH_MS - now : -1;
      const process = runId();
      if (!mark || !process || mark.runId !== process || freshForMs < 0) {
        throw new ServiceError('temporarily_unavailable', 'the state of builds is not known just now');
      }
      return {
        ...{ bits: bits ?? new Uint8Array(), now },
        streamCreatedMs: Date.parse(mark.stream),
        firstSeq: mark.firstSeq,
        lastSeq: Math.max(mark.startsFloor, mark.firstSeq),
        freshForMs,
      };
    },
  };
}

/** Seconds and microseconds of Redis's clock, the mark and the bitmap. */
type Reply = [Buffer, Buffer, (Buffer | null)[]];

/** What ioredis has and its types lack; its `callBuffer` loses the command's name when it pipelines. */
type BinaryRedis = {
  fcall_roBuffer(name: string, keyCount: number, ...keys: string[]): Promise<Reply>;
};

async function ask(redis: RedisLink['redis'], key: string): Promise<Reply> {
  try {
    return await (redis as unknown as BinaryRedis).fcall_roBuffer('builds_read', 2, MARK_KEY, key);
  } catch (cause) {
    throw new ServiceError('temporarily_unavailable', 'the state of builds cannot be read', { cause });
  }
}
