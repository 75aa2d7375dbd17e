import { BASE64_VALUES, BORROWED_BITS } from './base64.ts';
import { CUT, hexByte } from './hex.ts';
import type { Alphabet, Probe } from './mask-forms.ts';

/** How far a form was followed: `matched` of its bytes, up to `end`; `atEnd` where the text ended first. */
export type Followed = { matched: number; end: number; atEnd: boolean };

const FOLDS: Record<Alphabet, Uint8Array> = {
  exact: fold([]),
  base64: fold([
    ['-', '+'],
    ['_', '/'],
  ]),
  hex: fold([...'ABCDEF'].map((letter) => [letter, letter.toLowerCase()])),
};

/** Follows the form of `probe` through `text` (which has no line ends) from `start`, unwrapping as it goes. */
export function follow(text: Uint8Array, length: number, start: number, probe: Probe): Followed {
  if (probe.wrapping === 'plain') return followPlain(text, length, start, probe);
  if (probe.wrapping === 'hex') return followHex(text, length, start, probe);
  return followBase64(text, length, start, probe);
}

function followPlain(text: Uint8Array, length: number, start: number, { form }: Probe): Followed {
  const folds = FOLDS[form.alphabet];
  const wanted = form.text;
  let matched = 0;
  let at = start;
  while (matched < wanted.length && at < length && folds[text[at] as number] === wanted[matched]) {
    matched += 1;
    at += 1;
  }
  return { matched, end: at, atEnd: at >= length && matched < wanted.length };
}

function followHex(text: Uint8Array, length: number, start: number, { form }: Probe): Followed {
  const folds = FOLDS[form.alphabet];
  const wanted = form.text;
  let matched = 0;
  let at = start;
  while (matched < wanted.length) {
    const byte = hexByte(text, at, length);
    if (byte === CUT) return { matched, end: length, atEnd: true };
    if (!isLineEnd(byte)) {
      if (byte === undefined || folds[byte] !== wanted[matched]) break;
      matched += 1;
    }
    at += 2;
  }
  return { matched, end: at, atEnd: false };
}

/** The bits that stand in the character before `start` are taken as they should be. */
function followBase64(
  text: Uint8Array,
  length: number,
  start: number,
  { form, phase, first }: Probe,
): Followed {
  const folds = FOLDS[form.alphabet];
  const wanted = form.text;
  let bits = BORROWED_BITS[phase];
  let held = first >> (8 - bits);
  let matched = 0;
  let at = start;
  while (matched < wanted.length) {
    if (at >= length) return { matched, end: length, atEnd: true };
    const value = BASE64_VALUES[text[at] as number] as number;
    if (value < 0) break;
    at += 1;
    held = ((held << 6) | value) & 0x3fff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    const byte = (held >> bits) & 0xff;
    if (isLineEnd(byte)) continue;
    if (folds[byte] !== wanted[matched]) break;
    matched += 1;
  }
  return { matched, end: at, atEnd: false };
}

function isLineEnd(byte: number | undefined): boolean {
  return byte === 0x0a || byte === 0x0d;
}

function fold(pairs: string[][]): Uint8Array {
  const table = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  for (const [from = '', to = ''] of pairs) table[from.charCodeAt(0)] = to.charCodeAt(0);
  return table;
}
