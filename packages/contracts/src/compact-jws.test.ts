import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isCanonicalJws } from './compact-jws.ts';

const part = fc
  .uint8Array({ minLength: 1, maxLength: 60 })
  .map((bytes) => Buffer.from(bytes).toString('base64url'));
const token = fc.tuple(part, part, part).map((parts) => parts.join('.'));

test('what base64url gives is canonical', () => {
  fc.assert(
    fc.property(token, (text) => {
      expect(isCanonicalJws(text)).toBe(true);
    }),
  );
});

test('no other text of the same bytes is: padding, spare bits, spaces, the other alphabet', () => {
  fc.assert(
    fc.property(
      token,
      fc.nat(2),
      fc.constantFrom('=', '==', ' ', '\n', '\t', '+', '/', '.', '%'),
      (text, index, extra) => {
        const parts = text.split('.');
        parts[index] += extra;
        expect(isCanonicalJws(parts.join('.'))).toBe(false);
      },
    ),
  );
  fc.assert(
    fc.property(token, fc.nat(2), fc.integer({ min: 1, max: 15 }), (text, index, bits) => {
      const parts = text.split('.');
      const old = parts[index] as string;
      const spare = { 2: 15, 3: 3 }[old.length % 4] ?? 0;
      fc.pre((bits & spare) !== 0);
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
      const last = alphabet.indexOf(old.slice(-1));
      parts[index] = old.slice(0, -1) + alphabet.charAt(last | (bits & spare));
      expect(Buffer.from(parts[index], 'base64url').equals(Buffer.from(old, 'base64url'))).toBe(true);
      expect(isCanonicalJws(parts.join('.'))).toBe(false);
    }),
  );
});

test('what is too long or has not three parts is not', () => {
  for (const text of [
    '',
    'AA',
    'AA.AA',
    'AA.AA.',
    'AA.AA.AA.AA',
    `AA.${'A'.repeat(8192)}.AA`,
    `${'AAAA'.repeat(200)}.AA.AA`,
  ]) {
    expect(isCanonicalJws(text)).toBe(false);
  }
});
