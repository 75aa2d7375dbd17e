import { leakWatch } from './leak-watch.ts';
import { createMasker } from './mask.ts';
import { type SecretBook, secretBook } from './secret-book.ts';
import { testRequestToken, testToken } from './testing.ts';

const CHUNK = 64 * 1024;
const SIZE = 128 * 1024 * 1024;

const TEXTS: Record<string, () => string> = {
  'build log': (line = 0) =>
    `2026-11-20T06:37:57.${line}Z [info] compiled packages/cli/src/mask-scan.ts in ${line % 97} ms (dist/cli/mask-scan.js)\n`,
  'npm and compiler output': () =>
    'npm warn deprecated inflight@1.0.6: This module is not supported, and leaks memory.\ncc1 -quiet -O2 -fno-plt main.c -o ccJx2k.s\n',
  'JSON with escapes': () => '{"level":30,"msg":"say \\"hello\\" to the\\nworld","url":"/a%20b?c=%2Fd"}\n',
  'base64 at 76 columns': () =>
    `${Buffer.from(Array.from({ length: 57 }, () => Math.random() * 256)).toString('base64')}\n`,
};

for (const tokens of [1, 20]) {
  const book = secretBook();
  for (let count = 0; count < tokens; count += 1) book.add(testToken());
  book.add(testRequestToken());
  for (const [name, line] of Object.entries(TEXTS)) {
    const text = Buffer.from(Array.from({ length: 20_000 }, line).join(''));
    const [masked, watched] = [measure(text, book, false), measure(text, book, true)].map(Math.round);
    console.log(
      `${tokens} token(s), ${name}: masked ${masked} MB/s, masked and watched for leaks ${watched} MB/s`,
    );
  }
}

function measure(text: Buffer, book: SecretBook, isWatched: boolean): number {
  const masker = createMasker(book.index);
  const watch = leakWatch(book.all, () => console.log('a leak was seen where there is none'));
  const began = process.cpuUsage();
  let written = 0;
  while (written < SIZE) {
    const from = written % (text.length - CHUNK);
    const output = masker.write(text.subarray(from, from + CHUNK));
    if (isWatched) watch.see(output);
    written += CHUNK;
  }
  masker.end();
  // Time on the processor: what else the machine does is no matter.
  const { user, system } = process.cpuUsage(began);
  return written / (user + system);
}
