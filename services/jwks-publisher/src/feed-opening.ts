import type { EndedBuild } from './feed-log.ts';

/** What a feed is opened with: bytes, in their order, and how many ends they tell. */
export type Opening = { bytes: Buffer[]; events: number };

/** An end that somebody has seen: where it stood and when it was stored (ms), for another may stand there by now. */
export type Seen = Pick<EndedBuild, 'seq' | 'storedAt'>;

/** Takes every end that there is, and the last that was seen; gives what comes after that, or all where it is not there. */
export type OpeningMaker = (ends: readonly EndedBuild[], last: Seen | undefined) => Opening;

type Made = { at: number; ends: readonly EndedBuild[]; offsets: number[]; bytes: Buffer };

/** How long the bytes of one opening serve all who come, ms. */
const SHARED_MS = 2000;

/**
 * Takes how an end is written, and a clock (ms); gives the maker of a feed's openings. Those who come within two seconds
 * share the same bytes, to which only what ended since is added: many who read slowly hold one copy and not one each.
 */
export function openingMaker(write: (ended: EndedBuild) => Buffer, now: () => number): OpeningMaker {
  let made: Made = { at: -Infinity, ends: [], offsets: [], bytes: Buffer.alloc(0) };
  return (ends, last) => {
    const isLast = ({ seq, storedAt }: EndedBuild) => seq === last?.seq && storedAt === last.storedAt;
    let newest = lastOf(made, ends, now());
    if (newest < 0) {
      made = make(ends, write, now());
      newest = ends.length - 1;
    }
    const since = ends.slice(newest + 1);
    const seen = since.findIndex(isLast);
    if (seen >= 0) return written(since.slice(seen + 1), write);
    const from = made.ends.findIndex(isLast) + 1;
    const shared = made.bytes.subarray(made.offsets[from] ?? made.bytes.length);
    const added = written(since, write);
    return { bytes: [shared, ...added.bytes], events: made.ends.length - from + added.events };
  };
}

/** Where the newest end of an opening stands among all ends; -1 where the opening does not serve any more. */
function lastOf({ at, ends: shared }: Made, ends: readonly EndedBuild[], now: number): number {
  const newest = shared.at(-1);
  return newest === undefined || now - at > SHARED_MS ? -1 : ends.lastIndexOf(newest);
}

function make(ends: readonly EndedBuild[], write: (ended: EndedBuild) => Buffer, at: number): Made {
  const all = ends.map(write);
  let length = 0;
  const offsets = all.map((bytes) => {
    length += bytes.length;
    return length - bytes.length;
  });
  return { at, ends, offsets, bytes: Buffer.concat(all, length) };
}

function written(ends: readonly EndedBuild[], write: (ended: EndedBuild) => Buffer): Opening {
  return { bytes: ends.length === 0 ? [] : [Buffer.concat(ends.map(write))], events: ends.length };
}
