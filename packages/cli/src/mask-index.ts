import { CommandError } from './exit-codes.ts';
import { type Probe, probesOf } from './mask-forms.ts';

/** Beyond these a look at every place where one could begin would no longer be quick. */
const MAX_PROBES = 400_000;
const MAX_PROBES_AT_ONE_BEGINNING = 2_000;
const SIEVE_BITS = 18;
export const SIEVE_BYTES = 1 << SIEVE_BITS;

/** Bits of a byte of the sieve. */
export const KNOWN_FOUR = 1;
export const KNOWN_THREE = 2;

/** Everything that is looked for, by the four bytes that it begins with. */
export type MaskIndex = {
  /** One byte for each hash: `KNOWN_FOUR` where `probes` may know such four bytes, `KNOWN_THREE` where three of them. */
  sieve: Uint8Array;
  probes: Map<number, Probe[]>;
  /** One to three bytes with which something begins (see `tailKey`) → its fewest characters. */
  tails: Map<number, number>;
  /** What has been added, and how many probes that made. */
  parts: Set<string>;
  count: number;
};

/** Takes the parts of all secrets; gives their index. Throws where there are too many to promise anything. */
export function maskIndex(parts: Iterable<Uint8Array>): MaskIndex {
  const index: MaskIndex = {
    sieve: new Uint8Array(SIEVE_BYTES),
    probes: new Map(),
    tails: new Map(),
    parts: new Set(),
    count: 0,
  };
  extendIndex(index, parts);
  return index;
}

/** Adds parts of secrets to an index. Throws where they are too many; what was added by then stays. */
export function extendIndex(index: MaskIndex, parts: Iterable<Uint8Array>): void {
  for (const part of parts) {
    const name = Buffer.from(part).toString('latin1');
    if (index.parts.has(name)) continue;
    index.parts.add(name);
    for (const { anchor, probe } of probesOf(part)) {
      const same = addProbe(index, anchor, probe);
      index.count += 1;
      if (index.count > MAX_PROBES || same > MAX_PROBES_AT_ONE_BEGINNING) {
        throw new CommandError('masking', 'too many secrets to mask: give the step fewer, or split the step');
      }
    }
  }
}

/** Where in the sieve four bytes (as one 32-bit number, the first one lowest), or three behind a zero, stand. */
export function sieveHash(bytes: number): number {
  return Math.imul(bytes, 0x9e3779b1) >>> (32 - SIEVE_BITS);
}

/** One to three bytes as a key of `tails`. */
export function tailKey(bytes: Uint8Array, start: number, end: number): number {
  let key = end - start;
  for (let at = start; at < end; at += 1) key = key * 256 + (bytes[at] ?? 0);
  return key;
}

function mark(sieve: Uint8Array, bytes: number, bit: number): void {
  const at = sieveHash(bytes);
  sieve[at] = (sieve[at] as number) | bit;
}

/** Gives how many probes begin with `anchor` now. */
function addProbe({ sieve, probes, tails }: MaskIndex, anchor: Uint8Array, probe: Probe): number {
  const four = Buffer.from(anchor).readInt32LE(0);
  const known = probes.get(four) ?? [];
  if (isKnown(known, probe)) return known.length;
  known.push(probe);
  probes.set(four, known);
  mark(sieve, four, KNOWN_FOUR);
  mark(sieve, four << 8, KNOWN_THREE);
  mark(sieve, four & ~0xff, KNOWN_THREE);
  const characters = probe.form.text.length;
  for (const length of [1, 2, 3]) {
    const key = tailKey(anchor, 0, length);
    tails.set(key, Math.min(characters, tails.get(key) ?? characters));
  }
  return known.length;
}

/** The probes of one form are added one after the other. */
function isKnown(known: Probe[], probe: Probe): boolean {
  for (let at = known.length - 1; at >= 0; at -= 1) {
    const other = known[at] as Probe;
    if (other.form !== probe.form) return false;
    if (other.wrapping === probe.wrapping && other.phase === probe.phase && other.first === probe.first)
      return true;
  }
  return false;
}
