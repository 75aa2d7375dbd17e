import { CommandError } from './exit-codes.ts';
import { type Probe, probesOf } from './mask-forms.ts';

const MAX_PROBES = 400_000;
const SIEVE_BITS = 18;

/** Everything that is looked for, by the four bytes that it begins with. */
export type MaskIndex = {
  /** One byte for each hash of four bytes: 1 where `probes` may know them. */
  sieve: Uint8Array;
  probes: Map<number, Probe[]>;
  /** One to three bytes with which something begins (see `tailKey`) → its fewest characters. */
  tails: Map<number, number>;
};

/** Takes the parts of all secrets; gives their index. Throws where there are too many to promise anything. */
export function maskIndex(parts: Iterable<Uint8Array>): MaskIndex {
  const index: MaskIndex = {
    sieve: new Uint8Array(1 << SIEVE_BITS),
    probes: new Map(),
    tails: new Map(),
  };
  let count = 0;
  for (const part of parts) {
    for (const { anchor, probe } of probesOf(part)) {
      if (!addProbe(index, anchor, probe)) continue;
      count += 1;
      if (count > MAX_PROBES) {
        throw new CommandError('masking', 'too many secrets to mask: give the step fewer, or split the step');
      }
    }
  }
  return index;
}

/** Where in the sieve four bytes (as one 32-bit number) stand. */
export function sieveHash(four: number): number {
  return Math.imul(four, 0x9e3779b1) >>> (32 - SIEVE_BITS);
}

/** One to three bytes as a key of `tails`. */
export function tailKey(bytes: Uint8Array, start: number, end: number): number {
  let key = end - start;
  for (let at = start; at < end; at += 1) key = key * 256 + (bytes[at] ?? 0);
  return key;
}

function addProbe({ sieve, probes, tails }: MaskIndex, anchor: Uint8Array, probe: Probe): boolean {
  const four = Buffer.from(anchor).readInt32BE(0);
  const known = probes.get(four);
  if (known?.some((other) => sameProbe(other, probe))) return false;
  if (known) known.push(probe);
  else probes.set(four, [probe]);
  sieve[sieveHash(four)] = 1;
  const characters = probe.form.text.length;
  for (const length of [1, 2, 3]) {
    const key = tailKey(anchor, 0, length);
    tails.set(key, Math.min(characters, tails.get(key) ?? characters));
  }
  return true;
}

function sameProbe(one: Probe, other: Probe): boolean {
  return (
    one.wrapping === other.wrapping &&
    one.phase === other.phase &&
    one.first === other.first &&
    one.form.alphabet === other.form.alphabet &&
    Buffer.from(one.form.text).equals(other.form.text)
  );
}
