import { generateKeyPairSync, sign } from 'node:crypto';
import { CompactSign, exportJWK, generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import type { PublicJwk } from './keys.ts';
import { isSignedWith, verifyingKey } from './verifying-key.ts';

const ALGORITHMS = ['RS256', 'ES256'] as const;
type Algorithm = (typeof ALGORITHMS)[number];

const publicJwk = async (key: Parameters<typeof exportJWK>[0], alg: Algorithm, kid = 'k1') =>
  ({ ...(await exportJWK(key)), kid, alg, use: 'sig' }) as PublicJwk;

async function signer(alg: Algorithm) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const sign = (text: string) =>
    new CompactSign(Buffer.from(text)).setProtectedHeader({ alg, kid: 'k1', typ: 'JWT' }).sign(privateKey);
  return { sign, jwk: await publicJwk(publicKey, alg) };
}

test.for(ALGORITHMS)(
  'what another implementation signed by %s is known, and nothing that differs',
  async (alg) => {
    const { sign, jwk } = await signer(alg);
    const stranger = await signer(alg);
    const key = verifyingKey(jwk);
    const token = await sign('{"sub":"repo:1"}');
    const [head, , signature = ''] = token.split('.');
    const [, otherBody] = (await sign('{"sub":"repo:2"}')).split('.');
    expect(isSignedWith(key, token)).toBe(true);

    const changed = [
      `${head}.${otherBody}.${signature}`,
      `${token.slice(0, token.lastIndexOf('.'))}.${signature.slice(4)}`,
      `${token}AAAA`,
      `${token.slice(0, token.lastIndexOf('.'))}.`,
      await stranger.sign('{"sub":"repo:1"}'),
    ];
    for (const one of changed) expect(isSignedWith(key, one)).toBe(false);
  },
);

test('a signature in DER, which is not what JWS has, is not taken', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = verifyingKey(await publicJwk(publicKey, 'ES256'));
  const input = 'aa.bb';
  const signed = (dsaEncoding: 'der' | 'ieee-p1363') =>
    `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding }).toString('base64url')}`;
  expect(isSignedWith(key, signed('ieee-p1363'))).toBe(true);
  expect(isSignedWith(key, signed('der'))).toBe(false);
});

test('a signature of zeros, or of the order, is none', async () => {
  const key = verifyingKey(
    await publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, 'ES256'),
  );
  const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551';
  const sides = ['0'.repeat(64), `${'0'.repeat(63)}1`, order];
  for (const r of sides) {
    for (const s of sides)
      expect(isSignedWith(key, `aa.bb.${Buffer.from(r + s, 'hex').toString('base64url')}`)).toBe(false);
  }
});

test('a key that is not of its algorithm, or too short, is none', async () => {
  const rsa = await publicJwk(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey, 'RS256');
  expect(() => verifyingKey(rsa)).toThrow('the key k1 is too short');
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey;
  const named = await publicJwk(ec, 'RS256');
  expect(() => verifyingKey(named)).toThrow('the key k1 is not one for RS256');
  const other = await publicJwk(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey, 'ES256');
  expect(() => verifyingKey(other)).toThrow('the key k1 is not one for ES256');
});
