import type { BuildReference } from '@mayfly/contracts/build-reference';
import { type BuildLife, buildKey, readLife } from './layout.ts';
import { type Link, provenRead } from './proven-read.ts';

/** What is known of a build's life now, and Redis's clock (ms). */
export type KnownLife = { life: BuildLife | undefined; now: number };

/** Reads the lives of builds, without their facts: in the same time whether a build runs, is over or was never there. */
export type LifeReader = {
  /**
   * Takes a build's names; gives its life, undefined where there is none. Throws `temporarily_unavailable` unless the
   * projection was proven fresh, for this Redis process, within the last two seconds.
   */
  find(build: Pick<BuildReference, 'source' | 'id'>): Promise<KnownLife>;
};

/** Takes a connection to Redis; gives the reader of lives over it. */
export function lifeReader(link: Link): LifeReader {
  const read = provenRead(link, 'lives_read');
  return {
    async find({ source, id }) {
      const { value, now, mark } = await read(buildKey(source, id));
      const life = readLife(value ?? '');
      // A build whose start has left the stream could not be rebuilt, so it is not running.
      return { life: life?.state === 'running' && life.seq < mark.firstSeq ? undefined : life, now };
    },
  };
}

/** Takes what is known of a build and one of its attempts; gives its life if it runs, undefined where it does not. */
export function runningLife({ life, now }: KnownLife, attempt: number) {
  return life?.state === 'running' && life.attempt === attempt && now < life.deadline ? life : undefined;
}
