import { SIEVE_BYTES, sieveHash } from './mask-index.ts';

const IS_TOKEN_CHARACTER = Uint8Array.from({ length: 256 }, (_, byte) =>
  /[A-Za-z0-9_-]/.test(String.fromCharCode(byte)) ? 1 : 0,
);

/** Shortest secret that is found. */
const MIN_SPACED_CHARACTERS = 32;
/** A look at every place this far from the last one meets each secret with four of its characters still to come. */
const STRIDE = MIN_SPACED_CHARACTERS - 4;

type Place = { secret: Buffer; offset: number };

/** Where in the secrets four characters stand that a look may meet, and a sieve before it. */
export type SpacedIndex = { sieve: Uint8Array; places: Map<number, Place[]> };

/** Takes secrets, all of `[A-Za-z0-9_-]` and none too short; gives what finds them. */
export function spacedIndex(secrets: readonly Buffer[]): SpacedIndex {
  const sieve = new Uint8Array(SIEVE_BYTES);
  const places: SpacedIndex['places'] = new Map();
  for (const secret of secrets) {
    for (let offset = 0; offset <= STRIDE; offset += 1) {
      const four = secret.readInt32BE(offset);
      sieve[sieveHash(four)] = 1;
      places.set(four, [...(places.get(four) ?? []), { secret, offset }]);
    }
  }
  return { sieve, places };
}

/** Says whether a secret stands in `window` with anything between its characters that is no token character. */
export function isSpacedOut(window: Uint8Array, { sieve, places }: SpacedIndex): boolean {
  const { length } = window;
  if (places.size === 0) return false;
  let at = 0;
  while (at < length) {
    const first = nextCharacter(window, at);
    let four = window[first] as number;
    let last = first;
    for (let more = 3; more > 0; more -= 1) {
      last = nextCharacter(window, last + 1);
      four = (four << 8) | (window[last] as number);
    }
    if (last >= length) return false;
    if (sieve[sieveHash(four)] === 1 && places.get(four)?.some((place) => standsAt(window, first, place)))
      return true;
    at = Math.max(at + STRIDE, first + 1);
  }
  return false;
}

/** Where the first token character at or after `at` stands. */
function nextCharacter(window: Uint8Array, at: number): number {
  let next = at;
  while (next < window.length && IS_TOKEN_CHARACTER[window[next] as number] === 0) next += 1;
  return next;
}

/** Says whether the secret stands around `at`, with its character `offset` there. */
function standsAt(window: Uint8Array, at: number, { secret, offset }: Place): boolean {
  let after = at;
  for (let next = offset; next < secret.length; next += 1) {
    after = nextCharacter(window, after);
    if (window[after] !== secret[next]) return false;
    after += 1;
  }
  let before = at - 1;
  for (let next = offset - 1; next >= 0; next -= 1) {
    while (before >= 0 && IS_TOKEN_CHARACTER[window[before] as number] === 0) before -= 1;
    if (window[before] !== secret[next]) return false;
    before -= 1;
  }
  return true;
}
