import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toDer } from './to-der.ts';

/** Reads a sequence of integers as DER has it, each in its one form. */
function integersOf(der: Buffer): bigint[] {
  expect([...der.subarray(0, 2)]).toEqual([0x30, der.length - 2]);
  const integers: bigint[] = [];
  for (let at = 2; at < der.length; ) {
    const length = der[at + 1] as number;
    const bytes = der.subarray(at + 2, at + 2 + length);
    expect([der[at], bytes.length]).toEqual([0x02, length]);
    const [first = 0, second = 0xff] = bytes;
    expect(first).toBeLessThan(0x80);
    expect(first > 0 || second >= 0x80).toBe(true);
    integers.push(BigInt(`0x${bytes.toString('hex')}`));
    at += 2 + length;
  }
  return integers;
}

/** Sides of a signature with zeros before them, which DER leaves out. */
const side = fc
  .tuple(fc.nat(32), fc.uint8Array({ minLength: 32, maxLength: 32 }))
  .map(([zeros, bytes]) => Buffer.from(bytes).fill(0, 0, zeros));

test('R and S are the same in DER, each in its one form', () => {
  fc.assert(
    fc.property(side, side, (r, s) => {
      const expected = [r, s].map((bytes) => BigInt(`0x${bytes.toString('hex')}`));
      expect(integersOf(toDer(Buffer.concat([r, s])))).toEqual(expected);
    }),
  );
});
