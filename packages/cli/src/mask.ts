import type { MaskIndex } from './mask-index.ts';
import { type Scan, type Span, scan } from './mask-scan.ts';
import { joinedView, viewRoom } from './mask-views.ts';

/** What stands in the output in place of a secret. */
export const MASK = Buffer.from('***');

/** Takes a step's output in any pieces, and gives it back with every secret masked. */
export type Masker = {
  /** Gives what may be shown now that `chunk` was written. */
  write(chunk: Uint8Array): Buffer;
  /** Whether something is held back that may be shown after a short wait. */
  isWaiting(): boolean;
  /** The short wait is over: gives what was held back for it. */
  release(): Buffer;
  /** Nothing more comes: gives the rest. */
  end(): Buffer;
};

/**
 * So much is held back at most, bytes, or four times the longest form of a secret, which with CR LF behind each sign is three
 * times as long: with more, it is line ends that follow upon what began as a secret does.
 */
const MOST_HELD = 1024 * 1024;
const WRAPPED = 4;
/** What is shown already and more than this, bytes, is kept without its line ends. */
const MOST_SHOWN = 4096;
const SHOWN = viewRoom();

/** Makes a masker; `index` gives what is looked for now, for secrets come and go while a step runs. */
export function createMasker(index: () => MaskIndex): Masker {
  let kept: Buffer = Buffer.alloc(0);
  let shown = 0;
  let waiting = false;

  const settle = (open: boolean, limitOf: (found: Scan) => number): Buffer => {
    const looked = index();
    const opened = scan(kept, looked, open);
    const isTooMuch = isTooMuchHeld(kept.length - opened.settled, looked);
    // As at an end: of what has begun at least half is masked, or all that there is of it.
    const found = isTooMuch ? scan(kept, looked, false) : opened;
    const limit = isTooMuch ? kept.length : limitOf(found);
    const [output, end] = masked(kept, shown, limit, merged(found.masked));
    const keep = Math.min(isTooMuch ? end : found.settled, found.context, end);
    waiting = found.showable > end;
    kept = kept.subarray(keep);
    shown = end - keep;
    if (shown > MOST_SHOWN) forgetLineEnds();
    return output;
  };

  const forgetLineEnds = () => {
    const { text, length } = joinedView(kept.subarray(0, shown), SHOWN);
    kept = Buffer.concat([text.subarray(0, length), kept.subarray(shown)]);
    shown = length;
  };

  return {
    write(chunk) {
      kept = kept.length === 0 ? Buffer.from(chunk) : Buffer.concat([kept, chunk]);
      return settle(true, ({ settled }) => settled);
    },
    isWaiting: () => waiting,
    release: () => settle(true, ({ showable }) => showable),
    end: () => settle(false, () => kept.length),
  };
}

function isTooMuchHeld(held: number, { probes }: MaskIndex): boolean {
  if (held <= MOST_HELD) return false;
  const longest = [...probes.values()].flat().reduce((most, { form }) => Math.max(most, form.text.length), 0);
  return held > WRAPPED * longest;
}

/** Gives the text from `from` to `limit`, masked, and where it ends: past `limit` where a secret stands across it. */
function masked(text: Buffer, from: number, limit: number, spans: Span[]): [Buffer, number] {
  const pieces: Buffer[] = [];
  let at = from;
  for (const { start, end } of spans) {
    if (end <= at) continue;
    if (start >= limit) break;
    if (start > at) pieces.push(text.subarray(at, start));
    pieces.push(MASK);
    at = end;
  }
  if (at < limit) {
    pieces.push(text.subarray(at, limit));
    at = limit;
  }
  return [pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces), at];
}

/** Spans in order, those that touch made one. */
function merged(spans: Span[]): Span[] {
  const all: Span[] = [];
  for (const span of spans.toSorted((one, other) => one.start - other.start)) {
    const last = all.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else all.push({ ...span });
  }
  return all;
}
