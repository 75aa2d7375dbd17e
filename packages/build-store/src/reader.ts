import type { BuildReference } from '@mayfly/contracts/build-reference';
import { type BuildRecord, buildKey, MARK_KEY, readRecord } from './layout.ts';
import { type Link, provenRead } from './proven-read.ts';
import { recent } from './recent.ts';

/** What is known of a build now. `now` is Redis's clock, ms; `stream` names the stream that the build came by. */
export type Known = { record: BuildRecord | undefined; now: number; stream: string };

/** Reads builds, or does not know. */
export type BuildReader = {
  /**
   * Takes a build's names; gives its record, undefined where there is none. Throws `temporarily_unavailable` unless the
   * projection was proven fresh, for this Redis process, within the last two seconds.
   */
  find(build: Pick<BuildReference, 'source' | 'id'>): Promise<Known>;
  /** Gives the record of a build that was last found, where it is remembered, at once: to begin with, and never to answer by. */
  last(build: Pick<BuildReference, 'source' | 'id'>): Pick<Known, 'record' | 'stream'> | undefined;
  /** Remembers no more what was found of a build. */
  forget(build: Pick<BuildReference, 'source' | 'id'>): void;
  /** Says whether a question can be answered now. */
  isFresh(): Promise<boolean>;
};

/** How many records are known again by their text: what stands in Redis is asked for every time. */
const KNOWN_RECORDS = 4000;
/** A longer record is read anew each time, characters: 4,000 of the longest would take more than half a gigabyte. */
const KNOWN_CHARACTERS = 8192;

/** Takes a connection to Redis; gives the reader of builds over it. What it gives must not be changed. */
export function buildReader(link: Link): BuildReader {
  const read = provenRead(link, 'builds_read');
  const known = recent<{ text: string; record: BuildRecord; stream: string }>(KNOWN_RECORDS);
  const readAgain = (key: string, source: string, text: string, stream: string): BuildRecord => {
    const last = known.get(key);
    if (last?.text === text && last.stream === stream) return last.record;
    const record = readRecord(source, text);
    if (text.length <= KNOWN_CHARACTERS) known.set(key, { text, record, stream });
    else known.delete(key);
    return record;
  };
  return {
    async find({ source, id }) {
      const key = buildKey(source, id);
      const { value, now, mark } = await read(key);
      const { stream } = mark;
      if (value === null) return { record: undefined, now, stream };
      const record = readAgain(key, source, value, stream);
      // A build whose start has left the stream could not be rebuilt, so it is not running.
      if (record.state === 'running' && record.seq < mark.firstSeq) return { record: undefined, now, stream };
      return { record, now, stream };
    },
    last: ({ source, id }) => known.get(buildKey(source, id)),
    forget: ({ source, id }) => known.delete(buildKey(source, id)),
    isFresh: () =>
      read(MARK_KEY).then(
        () => true,
        () => false,
      ),
  };
}

/** Takes what is known of a build and one of its attempts; gives the running build, undefined where it does not run. */
export function runningBuild({ record, now }: Known, attempt: number) {
  if (record?.state !== 'running' || record.attempt !== attempt || now >= record.build.deadline)
    return undefined;
  return record.build;
}
