import { createMasker } from './mask.ts';
import type { SecretBook } from './secret-book.ts';

/** Gives what a masker with this book makes of an output that comes in these pieces. */
export function run(book: SecretBook, chunks: Buffer[]): Buffer {
  const masker = createMasker(book.index);
  return Buffer.concat([...chunks.map((chunk) => masker.write(chunk)), masker.end()]);
}

/** Cuts bytes at these places. */
export function pieces(bytes: Buffer, cuts: number[]): Buffer[] {
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted(
    (one, other) => one - other,
  );
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

/** The longest piece of `own` that stands in the output, if it is 8 characters or fewer. */
export function longestSeen(own: string, output: Buffer): number {
  const shown = output.toString('latin1').replace(/[\r\n]/g, '');
  let longest = 0;
  for (let at = 0; at < shown.length; at += 1) {
    while (longest < 8 && at + longest < shown.length && own.includes(shown.slice(at, at + longest + 1)))
      longest += 1;
  }
  return longest;
}
