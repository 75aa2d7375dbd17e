/** A text as it is searched, with the way back to the text that was written. */
export type View = {
  text: Uint8Array;
  length: number;
  /** Where what became byte `at` begins. */
  start(at: number): number;
  /** Where what became byte `at` ends. */
  end(at: number): number;
};

const LF = 0x0a;
const CR = 0x0d;

/** Takes what was written; gives it without line ends, so that a wrapped secret is in one piece. */
export function joinedView(written: Buffer, room: Room): View {
  const { length } = written;
  if (!written.includes(LF) && !written.includes(CR)) {
    return { text: written, length, start: (at) => at, end: (at) => at + 1 };
  }
  const { text, pieces } = room.of(length);
  const [source, target] = [numbersOf(written), numbersOf(text)];
  let filled = 0;
  let from = 0;
  while (from < length) {
    const end = copyUntilLineEnd(source, from, target, filled);
    if (from < end) addPiece(pieces, filled, from, 0);
    filled += end - from;
    from = end + 1;
  }
  return viewOf(text, filled, pieces);
}

/** Copies what stands before the next line end; gives where that is. */
function copyUntilLineEnd(source: DataView, from: number, target: DataView, filled: number): number {
  const length = source.byteLength;
  let at = from;
  let to = filled;
  while (at < length) {
    const four = at + 4 <= length ? source.getInt32(at, true) : 0;
    if (hasControl(four)) {
      const byte = source.getUint8(at);
      if (byte === LF || byte === CR) return at;
      target.setUint8(to, byte);
      at += 1;
      to += 1;
    } else {
      target.setInt32(to, four, true);
      at += 4;
      to += 4;
    }
  }
  return at;
}

/** Says whether one of four bytes is below 0x0e, as line ends are. */
function hasControl(four: number): boolean {
  return ((four - 0x0e0e0e0e) & ~four & 0x80808080) !== 0;
}

/** The bytes, to be read and written four at a time. */
export function numbersOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** Room to build a view in, one at a time: with a room for each text most of the work would be to find room. */
export type Room = { of(length: number): { text: Buffer; pieces: Pieces } };

/** Makes a room; a view that was built in it holds until the next one is. */
export function viewRoom(): Room {
  let text = Buffer.alloc(0);
  const pieces: Pieces = { numbers: new Int32Array(NUMBERS_A_PIECE * FIRST_PIECES), size: 0 };
  return {
    of(length) {
      if (text.length < length) text = Buffer.allocUnsafe(length);
      pieces.size = 0;
      return { text, pieces };
    },
  };
}

/**
 * What bytes of a view were copied one by one (width 0), or what one escape of a width stands for: where it begins in
 * the view and where it was written. All in one array of numbers, for there is a piece for each line and each escape.
 */
type Pieces = { numbers: Int32Array; size: number };

const NUMBERS_A_PIECE = 3;
const FIRST_PIECES = 1024;

/** Adds a piece behind the others. */
export function addPiece(pieces: Pieces, at: number, origin: number, width: number): void {
  const { size } = pieces;
  if (size === pieces.numbers.length) {
    const more = new Int32Array(2 * size);
    more.set(pieces.numbers);
    pieces.numbers = more;
  }
  const { numbers } = pieces;
  numbers[size] = at;
  numbers[size + 1] = origin;
  numbers[size + 2] = width;
  pieces.size = size + NUMBERS_A_PIECE;
}

/** The view of a text that was put together of these pieces. */
export function viewOf(text: Uint8Array, length: number, pieces: Pieces): View {
  return {
    text,
    length,
    start(at) {
      const [first, origin, width] = pieceAt(pieces, at);
      return width ? origin : origin + at - first;
    },
    end(at) {
      const [first, origin, width] = pieceAt(pieces, at);
      return width ? origin + width : origin + at - first + 1;
    },
  };
}

function pieceAt({ numbers, size }: Pieces, at: number): [first: number, origin: number, width: number] {
  let low = 0;
  let high = Math.max(0, size / NUMBERS_A_PIECE - 1);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((numbers[NUMBERS_A_PIECE * middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  const found = NUMBERS_A_PIECE * low;
  return [numbers[found] as number, numbers[found + 1] as number, numbers[found + 2] as number];
}
