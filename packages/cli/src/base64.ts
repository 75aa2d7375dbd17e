/** How many bytes of something else stand before a secret in its group of three. */
export type Phase = 0 | 1 | 2;

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** The value of each base64 character, of both alphabets; -1 for every other byte. */
export const BASE64_VALUES: Int8Array = base64Values();

/** Bits of the first byte that stand in the character before the first one that is wholly the secret's. */
export const BORROWED_BITS: Readonly<Record<Phase, number>> = { 0: 0, 1: 4, 2: 2 };

const MIXED_CHARACTERS: Readonly<Record<Phase, number>> = { 0: 0, 1: 2, 2: 3 };

/** Takes bytes; gives the base64 characters that they alone decide, when `phase` bytes stand before them. */
export function base64Stable(bytes: Uint8Array, phase: Phase): Uint8Array {
  const text = Buffer.concat([Buffer.alloc(phase), bytes])
    .toString('base64')
    .replaceAll('=', '');
  const whole = Math.floor(((phase + bytes.length) * 8) / 6);
  return Buffer.from(text.slice(MIXED_CHARACTERS[phase], whole));
}

/** Takes at least four bytes; gives the first four characters that they alone decide, in both alphabets. */
export function base64Heads(head: Uint8Array, phase: Phase): Uint8Array[] {
  const standard = Buffer.from(base64Stable(head.subarray(0, 6), phase).subarray(0, 4)).toString();
  const url = standard.replaceAll('+', '-').replaceAll('/', '_');
  return (url === standard ? [standard] : [standard, url]).map((text) => Buffer.from(text));
}

function base64Values(): Int8Array {
  const values = new Int8Array(256).fill(-1);
  for (const [value, character] of [...STANDARD].entries()) values[character.charCodeAt(0)] = value;
  values[0x2d] = 62;
  values[0x5f] = 63;
  return values;
}
