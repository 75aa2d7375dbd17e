import { constants, type InflateRaw, inflateRawSync } from 'node:zlib';
import type { View } from './mask-views.ts';

/** What an archive in the output says; `openFrom` is where it begins, if it goes on behind what was read. */
export type Archive = { text: Buffer; openFrom: number | undefined };

const MAX_INFLATED_BYTES = 4 * 1024 * 1024;
/** Of an archive that unpacks to more, so much is read at least. */
const ENOUGH_BYTES = MAX_INFLATED_BYTES / 2;
/** What stands in so few bytes of an archive is at most 1032 times as much: far less than is enough. */
const STEP_BYTES = 256;
/** What an archive begins with (RFC 1952 §2.3.1). */
const HEADER = Buffer.of(0x1f, 0x8b, 0x08);
const HEADER_IN_BASE64 = 'H4sI';

/** Reads every archive that begins in a stretch of output, or in base64 in the same stretch without its line ends. */
export function* archivesIn(window: Buffer, lines: View): Generator<Archive> {
  for (const { text, at, isOpen } of membersOf(window)) yield { text, openFrom: isOpen ? at : undefined };
  const joined = Buffer.from(lines.text.buffer, lines.text.byteOffset, lines.length);
  for (let at = joined.indexOf(HEADER_IN_BASE64); at >= 0; at = joined.indexOf(HEADER_IN_BASE64, at + 1)) {
    const decoded = Buffer.from(joined.toString('latin1', at), 'base64');
    for (const { text, isOpen } of membersOf(decoded)) {
      yield { text, openFrom: isOpen ? lines.start(at) : undefined };
    }
  }
}

type Inflated = { text: Buffer; isOpen: boolean };

/** An archive may have several members, one behind the other. */
function* membersOf(bytes: Buffer): Generator<Inflated & { at: number }> {
  for (let at = bytes.indexOf(HEADER); at >= 0; at = bytes.indexOf(HEADER, at + 1)) {
    yield { ...inflate(bytes.subarray(compressedFrom(bytes, at))), at };
  }
}

/** RFC 1952 §2.3: where the compressed data of a member begins, behind its optional fields. */
function compressedFrom(bytes: Buffer, header: number): number {
  const flags = bytes[header + 3] ?? 0;
  let at = header + 10;
  if (flags & 0x04) at += 2 + (bytes[at] ?? 0) + (bytes[at + 1] ?? 0) * 256;
  for (const text of [0x08, 0x10]) {
    if (flags & text) at = bytes.indexOf(0, at) + 1 || bytes.length;
  }
  return flags & 0x02 ? at + 2 : at;
}

/** What can be read of it: the rest may still be on its way, be broken, or be more than is read at once. */
function inflate(bytes: Buffer): Inflated {
  const whole = inflateWhole(bytes);
  if (whole) return whole;
  // Nothing is given of what cannot be read to its end: a beginning is looked for that can.
  let text: Buffer = Buffer.alloc(0);
  let read = 0;
  for (let unread = bytes.length; unread - read > STEP_BYTES && text.length < ENOUGH_BYTES; ) {
    const half = (read + unread) >> 1;
    const found = inflateWhole(bytes.subarray(0, half));
    if (found) [text, read] = [found.text, half];
    else unread = half;
  }
  return { text, isOpen: false };
}

/** Not as gzip: that would fail because of what stands in the output behind an archive. */
function inflateWhole(bytes: Buffer): Inflated | undefined {
  const options = { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_INFLATED_BYTES, info: true };
  try {
    const { buffer, engine } = inflateRawSync(bytes, options) as unknown as WithInfo;
    return { text: buffer, isOpen: engine.bytesWritten === bytes.length };
  } catch {
    return undefined;
  }
}

type WithInfo = { buffer: Buffer; engine: InflateRaw };
