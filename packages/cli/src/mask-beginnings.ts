import type { Probe } from './mask-forms.ts';
import { KNOWN_FOUR, KNOWN_THREE, type MaskIndex, sieveHash } from './mask-index.ts';

type Searched = { text: Uint8Array; length: number };
type Known = Pick<MaskIndex, 'sieve' | 'probes'>;
type Begin = (start: number, probes: readonly Probe[]) => void;

/**
 * Calls `begin` for each place where something that is looked for may begin; says whether there is one. Only every
 * second place is looked at: of four bytes in a row, the first three or the last three begin at one.
 */
export function eachBeginning({ text, length }: Searched, known: Known, begin?: Begin): boolean {
  const bytes = new DataView(text.buffer, text.byteOffset, length);
  const last = length - 4;
  let isAny = false;
  for (
    let at = nextThree(bytes, 0, last, known.sieve);
    at >= 0;
    at = nextThree(bytes, at + 2, last, known.sieve)
  ) {
    if (at > 0 && tryAt(bytes, at - 1, known, begin)) isAny = true;
    if (tryAt(bytes, at, known, begin)) isAny = true;
  }
  const isLastLeft = last > 0 && last % 2 === 1;
  return (isLastLeft && tryAt(bytes, last, known, begin)) || isAny;
}

/** By itself, and calling nothing else: it looks at every byte of the output. */
function nextThree(bytes: DataView, from: number, last: number, sieve: Uint8Array): number {
  for (let at = from; at <= last; at += 2) {
    if (((sieve[sieveHash(bytes.getInt32(at, true) << 8)] as number) & KNOWN_THREE) !== 0) return at;
  }
  return -1;
}

function tryAt(bytes: DataView, start: number, { sieve, probes }: Known, begin?: Begin): boolean {
  const four = bytes.getInt32(start, true);
  if (((sieve[sieveHash(four)] as number) & KNOWN_FOUR) === 0) return false;
  const known = probes.get(four);
  if (known === undefined) return false;
  begin?.(start, known);
  return true;
}
