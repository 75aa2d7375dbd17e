import { CUT, hexByte } from './hex.ts';
import { withoutLineEnds } from './mask-forms.ts';
import { addPiece, numbersOf, type Room, type View, viewOf } from './mask-views.ts';

/** An escape: how many bytes it takes and what it says; 0 bytes where it is none, -1 where the text ends within it. */
type Escaped = { size: number; says: Uint8Array };

type Reader = (text: Uint8Array, at: number, length: number) => Escaped;

const NO_BYTES = new Uint8Array();
const NONE: Escaped = { size: 0, says: NO_BYTES };
const ENDLESS: Escaped = { size: -1, says: NO_BYTES };
/** Line ends are left out, as in every view. */
const PERCENT: Escaped[] = Array.from({ length: 256 }, (_, byte) => ({
  size: 3,
  says: withoutLineEnds(Uint8Array.of(byte)),
}));
const BACKSLASH: (Escaped | undefined)[] = [];
for (const [letter, says] of Object.entries({ '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', t: '\t' })) {
  BACKSLASH[letter.charCodeAt(0)] = { size: 2, says: Buffer.from(says) };
}
for (const letter of 'nr') BACKSLASH[letter.charCodeAt(0)] = { size: 2, says: NO_BYTES };

/** One way to escape characters: what each escape begins with, and what it says. */
export type Escaping = { mark: number; read: Reader };

/** What a URL decoder, a JSON parser and a terminal make of a text. */
export const ESCAPINGS: readonly Escaping[] = [
  { mark: 0x25, read: readPercent },
  { mark: 0x5c, read: readBackslash },
  { mark: 0x1b, read: readControl },
];

/** Takes a joined view; gives what it says when its escapes are read, undefined where it has none. */
export function unescapedView(view: View, escaping: Escaping, room: Room): View | undefined {
  const bytes = Buffer.from(view.text.buffer, view.text.byteOffset, view.length);
  const { length } = bytes;
  if (!bytes.includes(escaping.mark)) return undefined;
  const { text, pieces } = room.of(length);
  const copying = { bytes, source: numbersOf(bytes), target: numbersOf(text), escaped: ENDLESS };
  let filled = 0;
  let at = 0;
  while (at < length) {
    const end = copyPlain(copying, at, filled, escaping);
    if (end - at === length) return undefined;
    if (end > at) addPiece(pieces, filled, at, 0);
    filled += end - at;
    const { size, says } = copying.escaped;
    if (size < 0) break;
    addPiece(pieces, filled, end, size);
    for (let next = 0; next < says.length; next += 1) text[filled++] = says[next] as number;
    at = end + size;
  }
  return onto(view, viewOf(text, filled, pieces));
}

type Copying = { bytes: Buffer; source: DataView; target: DataView; escaped: Escaped };

/** Copies what stands before the next escape; gives where that is, or the end. Leaves what it says in `escaped`. */
function copyPlain(copying: Copying, from: number, filled: number, { mark, read }: Escaping): number {
  const { bytes, source, target } = copying;
  const { length } = bytes;
  const shift = filled - from;
  let end = copyUntil(mark, source, from, target, filled);
  let escaped = end < length ? read(bytes, end, length) : ENDLESS;
  while (escaped.size === 0) {
    target.setUint8(end + shift, mark);
    end = copyUntil(mark, source, end + 1, target, end + 1 + shift);
    escaped = end < length ? read(bytes, end, length) : ENDLESS;
  }
  copying.escaped = escaped;
  return end;
}

/** Copies what stands before the next `mark`; gives where that is. */
function copyUntil(mark: number, source: DataView, from: number, target: DataView, filled: number): number {
  const length = source.byteLength;
  const marks = mark * 0x01010101;
  let at = from;
  let to = filled;
  while (at < length) {
    const four = at + 4 <= length ? source.getInt32(at, true) : marks;
    if (hasZero(four ^ marks)) {
      const byte = source.getUint8(at);
      if (byte === mark) return at;
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

/** Says whether one of four bytes is zero. */
function hasZero(four: number): boolean {
  return ((four - 0x01010101) & ~four & 0x80808080) !== 0;
}

function onto(below: View, above: View): View {
  return { ...above, start: (at) => below.start(above.start(at)), end: (at) => below.end(above.end(at) - 1) };
}

function readPercent(text: Uint8Array, at: number, length: number): Escaped {
  const byte = hexByte(text, at + 1, length);
  if (byte === undefined) return NONE;
  return byte === CUT ? ENDLESS : (PERCENT[byte] as Escaped);
}

function readBackslash(text: Uint8Array, at: number, length: number): Escaped {
  if (at + 1 >= length) return ENDLESS;
  const letter = text[at + 1] as number;
  if (letter !== 0x75) return BACKSLASH[letter] ?? NONE;
  const high = hexByte(text, at + 2, length);
  const low = high === CUT ? CUT : hexByte(text, at + 4, length);
  if (high === undefined || low === undefined) return NONE;
  if (low === CUT) return ENDLESS;
  const unit = high * 256 + low;
  const next = isHighSurrogate(unit) ? lowSurrogate(text, at + 6, length) : undefined;
  if (next === CUT) return ENDLESS;
  const units = next === undefined ? [unit] : [unit, next];
  return { size: 6 * units.length, says: withoutLineEnds(Buffer.from(String.fromCharCode(...units))) };
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdbff;
}

/** RFC 8259 §7: the second half of a character that JSON escapes in two; undefined where none follows. */
function lowSurrogate(text: Uint8Array, at: number, length: number): number | undefined {
  for (const [offset, byte] of [0x5c, 0x75].entries()) {
    if (at + offset >= length) return CUT;
    if (text[at + offset] !== byte) return undefined;
  }
  const high = hexByte(text, at + 2, length);
  if (high === CUT) return CUT;
  if (high === undefined || high < 0xdc || high > 0xdf) return undefined;
  const low = hexByte(text, at + 4, length);
  return low === undefined || low === CUT ? low : high * 256 + low;
}

/** What sets both colours to 24 bits each takes 34 bytes, and may set more. */
const LONGEST_CONTROL = 64;

/** ECMA-48 §5.4: what colours a piece of a text or moves the cursor says nothing itself. */
function readControl(text: Uint8Array, at: number, length: number): Escaped {
  if (at + 1 >= length) return ENDLESS;
  if (text[at + 1] !== 0x5b) return NONE;
  for (let next = at + 2; next < at + LONGEST_CONTROL; next += 1) {
    if (next >= length) return ENDLESS;
    const byte = text[next] as number;
    if (byte >= 0x40 && byte <= 0x7e) return { size: next + 1 - at, says: NO_BYTES };
    if (byte < 0x20 || byte > 0x7e) return NONE;
  }
  return NONE;
}
