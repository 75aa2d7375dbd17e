import { CUT, hexByte } from './hex.ts';
import { withoutLineEnds } from './mask-forms.ts';
import { type View, viewBuilder } from './mask-views.ts';

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

/** Takes a joined view; gives those that a URL decoder, a JSON parser and a terminal would have of it, where they differ. */
export function unescapedViews(view: View): View[] {
  const views = [
    unescaped(view, 0x25, readPercent),
    unescaped(view, 0x5c, readBackslash),
    unescaped(view, 0x1b, readControl),
  ];
  return views.filter((each) => each !== undefined);
}

function unescaped(view: View, mark: number, read: Reader): View | undefined {
  const bytes = Buffer.from(view.text.buffer, view.text.byteOffset, view.length);
  const { length } = bytes;
  let at = bytes.indexOf(mark);
  while (at >= 0 && read(bytes, at, length).size === 0) at = bytes.indexOf(mark, at + 1);
  if (at < 0) return undefined;

  const built = viewBuilder(bytes, length);
  let from = 0;
  while (at >= 0) {
    const { size, says } = read(bytes, at, length);
    if (size !== 0) built.copy(from, at);
    if (size < 0) return onto(view, built.view());
    if (size > 0) {
      built.put(says, at, size);
      from = at + size;
    }
    at = bytes.indexOf(mark, at + (size || 1));
  }
  built.copy(from, length);
  return onto(view, built.view());
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
  return { size: 6, says: withoutLineEnds(Buffer.from(String.fromCharCode(high * 256 + low))) };
}

const LONGEST_CONTROL = 24;

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
