import { deflateSync, inflateSync } from 'node:zlib';

/** Builds in one list: bit `seq mod 2^16` of list `seq / 2^16`, by the sequence of the start in BUILDS. */
export const STATUS_LIST_SIZE = 65_536;

/** How long a relying party may go on with a list before it asks again, seconds. */
export const STATUS_LIST_TTL_SECONDS = 5;

/** The `typ` and, with `application/` before it, the media type of a Status List Token (§5.1). */
export const STATUS_LIST_TYPE = 'statuslist+jwt';

/** A status list as it stands in a token: draft-ietf-oauth-status-list-21 §4.2. */
export type StatusList = { bits: number; lst: string; aggregation_uri?: string };

/** What stands in a token's `status.status_list`: which bit of which list (§6.2). */
export type StatusReference = { idx: number; uri: string };

/** Takes an issuer, when BUILDS was created (ms since 1970) and a number; gives the URI of that list. */
export function statusListUri(issuer: string, streamCreatedMs: number, list: number): string {
  return `${issuer}/status-lists/${streamCreatedMs}-${list}`;
}

/** Takes an issuer, when BUILDS was created (ms since 1970) and a start's sequence; gives where its build's bit is. */
export function statusReference(issuer: string, streamCreatedMs: number, seq: number): StatusReference {
  const list = Math.floor(seq / STATUS_LIST_SIZE);
  return { idx: seq % STATUS_LIST_SIZE, uri: statusListUri(issuer, streamCreatedMs, list) };
}

/** Takes the bytes of a status list, lowest bits of the first byte first (§4.1); gives it compressed (§4.2). */
export function encodeStatusList(bytes: Uint8Array, bits = 1): StatusList {
  return { bits, lst: deflateSync(bytes, { level: 9 }).toString('base64url') };
}

/** Longest list that is unpacked, bytes: what 2^20 entries of eight bits take. */
const MAX_LIST_BYTES = 1 << 20;

/** Takes a status list; gives its bytes. Throws a TypeError for what is none, or unpacks to more than a mebibyte. */
export function decodeStatusList({ bits, lst }: StatusList): Uint8Array {
  if (![1, 2, 4, 8].includes(bits)) throw new TypeError('a status list has 1, 2, 4 or 8 bits an entry');
  try {
    return inflateSync(Buffer.from(lst, 'base64url'), { maxOutputLength: MAX_LIST_BYTES });
  } catch (cause) {
    throw new TypeError('a status list cannot be unpacked', { cause });
  }
}

/** Takes an unpacked list and an index; gives the status there, undefined where the list is too short (§8.3). */
export function statusAt(bytes: Uint8Array, bits: number, index: number): number | undefined {
  if (!Number.isSafeInteger(index) || index < 0) return undefined;
  const byte = bytes[Math.floor((index * bits) / 8)];
  return byte === undefined ? undefined : (byte >> ((index * bits) % 8)) & ((1 << bits) - 1);
}

/**
 * Takes a bitmap as Redis keeps it, in which 1 is a running build and the highest bit of a byte comes first; gives the
 * bytes of its status list, in which 0 is VALID, 1 is INVALID (§7.1), and whoever is not running is invalid.
 */
export function statusesOf(running: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(STATUS_LIST_SIZE / 8).fill(0xff);
  const known = Math.min(running.length, bytes.length);
  for (let at = 0; at < known; at++) bytes[at] = TURNED[running[at] as number] as number;
  return bytes;
}

/** Each byte with its bits inverted and in the other order. */
const TURNED = Uint8Array.from({ length: 256 }, (_, byte) => {
  let turned = 0;
  for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) === 0) turned |= 1 << bit;
  return turned;
});
