import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ENCODINGS, type Encode, LAYOUTS, SECRETS } from './mask-encodings.ts';
import { longestSeen, pieces, run } from './mask-in-test.ts';
import { secretBook } from './secret-book.ts';

/** More by hand, for a longer look: MAYFLY_PROPERTY_RUNS=200. */
const RUNS = Number(process.env['MAYFLY_PROPERTY_RUNS'] ?? 2);

for (const [kind, secret] of Object.entries(SECRETS)) {
  test(`${kind} does not come through in any encoding, in one line or wrapped, whole or split`, () => {
    const book = secretBook();
    book.add(secret);
    const splits = fc.array(fc.integer({ min: 0, max: 6000 }), { maxLength: 12 });
    for (const [encoding, encode] of Object.entries(ENCODINGS)) {
      for (const [layout, lay] of Object.entries(LAYOUTS)) {
        const encoded = encode(Buffer.from(secret));
        const own = ownPart(secret, encode);
        const written = Buffer.concat([Buffer.from('before: '), lay(encoded), Buffer.from(' :after\n')]);
        fc.assert(
          fc.property(splits, (cuts) => {
            const output = run(book, pieces(written, cuts));
            expect(longestSeen(own, output), `${encoding}, ${layout}`).toBeLessThan(8);
            expect(output.toString().startsWith('before: ')).toBe(true);
            expect(output.toString().endsWith(' :after\n')).toBe(true);
          }),
          { numRuns: RUNS },
        );
      }
    }
  }, 600_000);
}

/** The encoded secret, as far as another secret of the same length would be written otherwise. */
function ownPart(secret: string, encode: Encode): string {
  const bare = encode(Buffer.from(secret))
    .toString('latin1')
    .replace(/[\r\n]/g, '');
  const other = encode(Buffer.from(secret.replace(/[A-Za-z0-9]/g, (letter) => (letter === 'm' ? 'n' : 'm'))))
    .toString('latin1')
    .replace(/[\r\n]/g, '');
  let start = 0;
  while (start < bare.length && bare[start] === other[start]) start += 1;
  let tail = 0;
  while (tail < bare.length - start && bare.at(-1 - tail) === other.at(-1 - tail)) tail += 1;
  return bare.slice(start, bare.length - tail);
}
