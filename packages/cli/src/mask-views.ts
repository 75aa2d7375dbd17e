/** A text as it is searched, with the way back to the text that was written. */
export type View = {
  text: Uint8Array;
  length: number;
  /** Where what became byte `at` begins. */
  start(at: number): number;
  /** Where what became byte `at` ends. */
  end(at: number): number;
};

/** Some bytes of a view that were copied one by one (`width` 0), or that one escape of `width` stands for. */
type Piece = { at: number; origin: number; width: number };

const LF = 0x0a;
const CR = 0x0d;

/** Takes what was written; gives it without line ends, so that a wrapped secret is in one piece. */
export function joinedView(written: Buffer): View {
  const { length } = written;
  let lineFeed = indexOrEnd(written, LF, 0);
  let carriageReturn = indexOrEnd(written, CR, 0);
  if (lineFeed === length && carriageReturn === length) {
    return { text: written, length, start: (at) => at, end: (at) => at + 1 };
  }
  const { copy, view } = viewBuilder(written, length);
  let from = 0;
  while (from < length) {
    const end = Math.min(lineFeed, carriageReturn);
    copy(from, end);
    from = end + 1;
    if (lineFeed < from) lineFeed = indexOrEnd(written, LF, from);
    if (carriageReturn < from) carriageReturn = indexOrEnd(written, CR, from);
  }
  return view();
}

function indexOrEnd(bytes: Buffer, byte: number, from: number): number {
  const at = from < bytes.length ? bytes.indexOf(byte, from) : -1;
  return at < 0 ? bytes.length : at;
}

/** Builds a view of `source` piece by piece. */
export function viewBuilder(source: Buffer, length: number) {
  const text = Buffer.allocUnsafe(length);
  const pieces: Piece[] = [];
  let filled = 0;
  return {
    /** Takes these bytes as they are. */
    copy(from: number, to: number) {
      if (from >= to) return;
      pieces.push({ at: filled, origin: from, width: 0 });
      filled += source.copy(text, filled, from, to);
    },
    /** Takes what the escape at `origin` says. */
    put(says: Uint8Array, origin: number, width: number) {
      if (says.length === 0) return;
      pieces.push({ at: filled, origin, width });
      text.set(says, filled);
      filled += says.length;
    },
    view: (): View => ({
      text,
      length: filled,
      start(at) {
        const piece = pieceAt(pieces, at);
        return piece.width ? piece.origin : piece.origin + at - piece.at;
      },
      end(at) {
        const piece = pieceAt(pieces, at);
        return piece.width ? piece.origin + piece.width : piece.origin + at - piece.at + 1;
      },
    }),
  };
}

function pieceAt(pieces: Piece[], at: number): Piece {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces[middle] as Piece).at <= at) low = middle;
    else high = middle - 1;
  }
  return pieces[low] ?? { at: 0, origin: 0, width: 0 };
}
