import { ServiceError } from '@mayfly/contracts/errors';
import { MAX_CLOCK_OFFSET_MS } from '@mayfly/contracts/signing';
import type { RedisLink } from '@mayfly/service-kit/redis';
import type { IdTokenClaims } from './token.ts';

/** Remembers which tokens were used up. */
export type OnceStore = {
  /**
   * Uses up a token; says whether this was the first time. Says no of a token that was issued before the memory began.
   * Throws `temporarily_unavailable` where it cannot know.
   */
  consume(source: string, claims: Pick<IdTokenClaims, 'jti' | 'iat' | 'exp'>): Promise<boolean>;
};

type Redis = RedisLink['redis'];
type Reply = [Error | null, unknown][] | null;

/** Key that says since when this keyspace remembers (ms by Redis's clock), and in which Redis process. */
const BEGAN_KEY = 'once:began';
/** How far a token's `iat` may be ahead of Redis's clock, ms: as far as the clock of `issuer`, and a second, for it is whole. */
const MARGIN_MS = MAX_CLOCK_OFFSET_MS + 1000;
/** How much longer than its token a used `jti` is remembered, seconds. */
const REMEMBERED_SECONDS = 60;

/**
 * Takes a connection to Redis; gives the memory of used tokens in it. Another Redis process, after a restart or a
 * fail-over, may have lost the last second: the memory then begins anew.
 */
export function onceStore({ redis, runId }: RedisLink): OnceStore {
  return {
    async consume(source, { jti, iat, exp }) {
      const process = runId();
      const [began, isFirst] = await use(redis, `once:{${source}/${jti}}`, exp + REMEMBERED_SECONDS);
      if (!process || process !== runId()) throw unknown();
      const [beganIn, beganAt] = began?.split(' ') ?? [];
      if (beganIn !== process) {
        await begin(redis, process);
        return false;
      }
      return isFirst && iat * 1000 >= Number(beganAt) + MARGIN_MS;
    },
  };
}

/** Marks when the memory of this Redis process began, where it is not marked yet. */
export async function beginOnce({ redis, runId }: RedisLink): Promise<void> {
  const process = runId();
  if (!process) return;
  const began = await guarded(redis.get(BEGAN_KEY));
  if (began?.split(' ')[0] !== process) await begin(redis, process);
}

async function begin(redis: Redis, process: string): Promise<void> {
  const [seconds, micros] = await guarded(redis.time());
  const at = Number(seconds) * 1000 + Math.ceil(Number(micros) / 1000);
  await guarded(redis.set(BEGAN_KEY, `${process} ${at}`));
}

/** In one step of one Redis process: since when it remembers, and whether the token is used for the first time. */
async function use(redis: Redis, key: string, untilSeconds: number): Promise<[string | null, boolean]> {
  const steps = redis.multi().get(BEGAN_KEY).set(key, '1', 'EXAT', untilSeconds, 'NX');
  const reply = (await guarded(steps.exec())) as Reply;
  const [began, set] = reply ?? [];
  if (!began || !set || began[0] || set[0]) throw unknown();
  return [began[1] as string | null, set[1] === 'OK'];
}

async function guarded<T>(reply: Promise<T>): Promise<T> {
  try {
    return await reply;
  } catch (cause) {
    throw unknown(cause);
  }
}

function unknown(cause?: unknown): ServiceError {
  return new ServiceError('temporarily_unavailable', 'it is not known whether the token was used', { cause });
}
