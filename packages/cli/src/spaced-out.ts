import { sieveHash } from './mask-index.ts';

/** Secrets made of token characters, by their first four. */
export type SpacedIndex = { sieve: Uint8Array; secrets: Map<number, Buffer[]> };

const IS_TOKEN_CHARACTER = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9_-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** Takes secrets of at least four characters, all of `[A-Za-z0-9_-]`. */
export function spacedIndex(all: readonly string[]): SpacedIndex {
  const index: SpacedIndex = { sieve: new Uint8Array(1 << 18), secrets: new Map() };
  for (const secret of all.map((text) => Buffer.from(text))) {
    const four = secret.readInt32BE(0);
    index.sieve[sieveHash(four)] = 1;
    index.secrets.set(four, [...(index.secrets.get(four) ?? []), secret]);
  }
  return index;
}

/** Says whether a secret stands in `window` with anything between its characters that is no token character. */
export function isSpacedOut(window: Uint8Array, { sieve, secrets }: SpacedIndex): boolean {
  let four = 0;
  for (let at = 0; at < window.length; at += 1) {
    const byte = window[at] as number;
    // Without a branch, which no processor could foresee in ordinary text.
    const taken = -(IS_TOKEN_CHARACTER[byte] as number);
    four = (((four << 8) | byte) & taken) | (four & ~taken);
    if (sieve[sieveHash(four)] === 0) continue;
    if (secrets.get(four)?.some((secret) => follows(window, at + 1, secret))) return true;
  }
  return false;
}

/** Whether the rest of `secret`, behind its first four characters, comes next. */
function follows(window: Uint8Array, start: number, secret: Buffer): boolean {
  let matched = 4;
  for (let at = start; at < window.length && matched < secret.length; at += 1) {
    const byte = window[at] as number;
    if (IS_TOKEN_CHARACTER[byte] === 0) continue;
    if (byte !== secret[matched]) return false;
    matched += 1;
  }
  return matched === secret.length;
}
