import { setImmediate as breathe } from 'node:timers/promises';
import type { EndedBuild, Ends } from './feed-log.ts';

/** What a feed is opened with: bytes, in their order, and how many ends they tell. */
export type Opening = { bytes: Buffer[]; events: number };

/** An end that somebody has seen: where it stood and when it was stored (ms), for another may stand there by now. */
export type Seen = Pick<EndedBuild, 'seq' | 'storedAt'>;

/** What makes the openings of a feed. */
export type Openings = {
  /** Writes what is not written yet, a part at a time, so that a long feed keeps nobody else waiting. */
  prepare(ends: () => Ends): Promise<void>;
  /** Takes every end that there is, and the last that was seen; gives what comes after that, or all where it is not there. */
  open(ends: Ends, last: Seen | undefined): Opening;
};

/** Ends in one piece of bytes: of those that are long past, and of the newest. */
const MANY = 1000;
const FEW = 50;

/** Ends that are written together, from `first` on. The last of them tells whether they still are what they were. */
type Piece = { first: number; last: EndedBuild | undefined; bytes: Buffer; offsets: number[] };

/**
 * Takes how an end is written; gives the maker of a feed's openings. All who hear it share the pieces that it is written in,
 * which never change: however many read slowly, whenever they came, there is one copy and not one each.
 */
export function openings(write: (ended: EndedBuild) => string): Openings {
  const written = new Map<number, Map<number, Piece>>([
    [MANY, new Map()],
    [FEW, new Map()],
  ]);
  const writtenPiece = (size: number, number: number, { first, list }: Ends): Piece | undefined => {
    const there = written.get(size)?.get(number);
    return there && there.last === list[(number + 1) * size - first - 1] ? there : undefined;
  };
  /** The piece of so many ends whose number is `number`, without those that are forgotten already. */
  const pieceOf = (size: number, number: number, { first, list }: Ends): Piece => {
    const pieces = written.get(size) as Map<number, Piece>;
    const end = (number + 1) * size - first;
    const there = writtenPiece(size, number, { first, list });
    if (there) return there;
    const begin = Math.max(0, number * size - first);
    const piece = pieceFrom(list.slice(begin, end), first + begin, write);
    pieces.set(number, piece);
    return piece;
  };
  /** Of the newest ends the small pieces are kept, of all others the large ones. */
  const forget = ({ first, list }: Ends) => {
    const end = first + list.length;
    const many = Math.floor(end / MANY);
    keepOnly(written.get(MANY), (number) => (number + 1) * MANY > first && number < many);
    keepOnly(written.get(FEW), (number) => number * FEW >= many * MANY && (number + 1) * FEW <= end);
  };
  return {
    async prepare(ends) {
      let number = Math.floor(ends().first / MANY);
      for (; (number + 1) * MANY <= ends().first + ends().list.length; number++) {
        const { first } = ends();
        if ((number + 1) * MANY <= first || writtenPiece(MANY, number, ends())) continue;
        pieceOf(MANY, number, ends());
        await breathe();
      }
    },
    open(ends, last) {
      forget(ends);
      const { first, list } = ends;
      const end = first + list.length;
      const from = first + indexAfter(list, last);
      const bytes: Buffer[] = [];
      let at = from;
      while (at < end) {
        const size = [MANY, FEW].find((one) => (Math.floor(at / one) + 1) * one <= end);
        const piece = size
          ? pieceOf(size, Math.floor(at / size), ends)
          : pieceFrom(list.slice(at - first), at, write);
        bytes.push(piece.bytes.subarray(piece.offsets[at - piece.first]));
        at = piece.first + piece.offsets.length;
      }
      return { bytes, events: end - from };
    },
  };
}

function keepOnly(pieces: Map<number, Piece> | undefined, isKept: (number: number) => boolean): void {
  for (const number of pieces?.keys() ?? []) if (!isKept(number)) pieces?.delete(number);
}

function pieceFrom(ends: readonly EndedBuild[], first: number, write: (ended: EndedBuild) => string): Piece {
  let length = 0;
  const texts = ends.map(write);
  const offsets = texts.map((text) => {
    const offset = length;
    length += Buffer.byteLength(text);
    return offset;
  });
  return { first, last: ends.at(-1), bytes: Buffer.from(texts.join('')), offsets };
}

/** Where what comes after the last that was seen begins: at 0 where it is not there. Ends are in the order of their sequences. */
function indexAfter(list: readonly EndedBuild[], last: Seen | undefined): number {
  if (!last) return 0;
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((list[middle] as EndedBuild).seq < last.seq) low = middle + 1;
    else high = middle;
  }
  const there = list[low];
  return there?.seq === last.seq && there.storedAt === last.storedAt ? low + 1 : 0;
}
