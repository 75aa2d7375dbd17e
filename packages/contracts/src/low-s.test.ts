import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { flipS, hasOnlySignature, isLowS } from './low-s.ts';

const ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const withS = (s: bigint) => Buffer.from(`${'11'.repeat(32)}${s.toString(16).padStart(64, '0')}`, 'hex');
const sOf = (signature: Buffer) => BigInt(`0x${signature.toString('hex', 32)}`);

test('of S and n − S one is low, and each becomes the other', () => {
  const half = ORDER / 2n;
  const edges = [1n, 2n, half - 1n, half, half + 1n, half + 2n, ORDER - 2n, ORDER - 1n];
  const anything = fc.bigInt({ min: 1n, max: ORDER - 1n });
  const check = (s: bigint) => {
    const signature = withS(s);
    expect(isLowS(signature)).toBe(s <= half);
    flipS(signature);
    expect(sOf(signature)).toBe(ORDER - s);
    expect(isLowS(signature)).toBe(s > half);
    expect(signature.toString('hex', 0, 32)).toBe('11'.repeat(32));
  };

  for (const s of edges) check(s);
  fc.assert(fc.property(anything, check));
});

test('ECDSA takes both, and a token has one of them', () => {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = Buffer.from('a.b');
  const signature = sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
  const isGood = () => verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
  const isOnly = () => hasOnlySignature(`a.b.${signature.toString('base64url')}`, 'ES256');
  const [good, first] = [isGood(), isOnly()];
  flipS(signature);

  expect([good, isGood()]).toEqual([true, true]);
  expect(new Set([first, isOnly()])).toEqual(new Set([true, false]));
});

test('RS256 has one signature a token, whatever is in it', () => {
  expect(hasOnlySignature(`a.b.${Buffer.alloc(256, 0xff).toString('base64url')}`, 'RS256')).toBe(true);
});
