import { BASE64_VALUES } from './base64.ts';
import { type Archive, archivesIn } from './leak-gzip.ts';
import { joinedView, viewRoom } from './mask-views.ts';

/** A form in which a token can be recognized once it has been written, but not masked as it is written. */
export type LeakForm = 'spaced out' | 'base64 three times or more' | 'compressed with gzip' | 'a hex dump';

/** Shorter than what half of the shortest token is after three times base64. */
const LONG_RUN = 48;

const JOINED = viewRoom();

type Reading = { form: LeakForm; text: Buffer } & Partial<Archive>;

/** Takes a stretch of output; gives what it may hold when it is read otherwise, and how it was read. */
export function* readOtherwise(window: Buffer): Generator<Reading> {
  const lines = joinedView(window, JOINED);
  const joined = Buffer.from(lines.text.buffer, lines.text.byteOffset, lines.length);
  for (const text of decodedRuns(joined)) yield { form: 'base64 three times or more', text };
  for (const archive of archivesIn(window, lines)) yield { form: 'compressed with gzip', ...archive };
  const dumped = dumpedBytes(window);
  if (dumped) yield { form: 'a hex dump', text: dumped };
}

/** Decodes each long run of base64 that is base64 again within, at the alignment where it is. */
function* decodedRuns(joined: Buffer): Generator<Buffer> {
  for (let at = 0; at < joined.length; at += LONG_RUN) {
    if (!isBase64(joined[at])) continue;
    let start = at;
    while (start > 0 && isBase64(joined[start - 1])) start -= 1;
    let end = at;
    while (end < joined.length && isBase64(joined[end])) end += 1;
    if (end - start >= LONG_RUN) yield* nested(joined.subarray(start, end));
    at += Math.floor((end - at) / LONG_RUN) * LONG_RUN;
  }
}

function* nested(run: Buffer): Generator<Buffer> {
  const middle = Math.floor(run.length / 8) * 4;
  for (const phase of [0, 1, 2, 3]) {
    if (!isBase64Within(run, middle + phase)) continue;
    const decoded = Buffer.from(run.toString('latin1', phase), 'base64');
    yield decoded;
    const inner = decoded.toString('latin1').replace(/[\r\n]/g, '');
    const deeper = /[A-Za-z0-9+/_-]{32,}/.exec(inner)?.[0];
    if (deeper) yield* nested(Buffer.from(deeper));
  }
}

/** Says whether twelve characters decode to base64 again: of others hardly any do. */
function isBase64Within(run: Buffer, start: number): boolean {
  for (let at = start; at < Math.min(start + 12, run.length - 3); at += 4) {
    let bits = 0;
    for (let next = at; next < at + 4; next += 1)
      bits = (bits << 6) | (BASE64_VALUES[run[next] as number] as number);
    for (const shift of [16, 8, 0]) {
      const byte = (bits >> shift) & 0xff;
      if (!isBase64(byte) && byte !== 0x0a && byte !== 0x0d && byte !== 0x3d) return false;
    }
  }
  return true;
}

function isBase64(byte: number | undefined): boolean {
  return byte !== undefined && (BASE64_VALUES[byte] as number) >= 0;
}

const DUMP_LINE = /^[0-9a-f]{6,8}:?[ \t]+((?:[0-9a-f]{2}){1,2}(?:[ \t]{1,2}(?:[0-9a-f]{2}){1,2}\b)*)/gim;

/** The bytes of `xxd`, `hexdump -C` or `od -t x1`: digits behind an offset. */
function dumpedBytes(window: Buffer): Buffer | undefined {
  if (!window.includes('00000')) return undefined;
  const digits = Array.from(window.toString('latin1').matchAll(DUMP_LINE), ([, line = '']) => line);
  return digits.length === 0 ? undefined : Buffer.from(digits.join('').replace(/[ \t]/g, ''), 'hex');
}
