import { type BenchText, benchText, TEXTS } from './bench-texts.ts';
import { leakWatch } from './leak-watch.ts';
import { createMasker } from './mask.ts';
import { type SecretBook, secretBook } from './secret-book.ts';
import { testRequestToken, testToken } from './testing.ts';

const CHUNK = 64 * 1024;
const SIZE = 128 * 1024 * 1024;

for (const tokens of [1, 20]) {
  const book = secretBook();
  for (let count = 0; count < tokens; count += 1) book.add(testToken());
  book.add(testRequestToken());
  for (const name of Object.keys(TEXTS) as BenchText[]) {
    const text = benchText(name);
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
