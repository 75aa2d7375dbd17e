import { createPrivateKey, createPublicKey, type JsonWebKey, sign, verify } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { hasOnlySignature, isLowS } from '@mayfly/contracts/low-s';
import { compactVerify, importJWK } from 'jose';
import { expect, test } from 'vitest';
import { generateSigningKey, withSpares } from './generate.ts';
import { signPool } from './sign-pool.ts';
import { toP1363 } from './to-p1363.ts';

/** So many RS256 signatures go to the threads. */
const MORE_THAN_A_COUPLE = 3;
const HEADERS = { RS256: 'eyJhbGciOiJSUzI1NiJ9', ES256: 'eyJhbGciOiJFUzI1NiJ9' };

test('jose verifies what the threads sign, one by one and in batches, with both algorithms mixed', async () => {
  const pool = signPool();
  const keys = await Promise.all([generateSigningKey('RS256'), generateSigningKey('ES256')]);
  const publicKeys = await Promise.all(keys.map(({ jwk, alg }) => importJWK(publicOf(jwk), alg)));

  const signed = async (index: number) => {
    const key = keys[index % 2] as (typeof keys)[0];
    const input = `${HEADERS[key.alg]}.${Buffer.from(String(index)).toString('base64url')}`;
    return `${input}.${await pool.sign(key, input)}`;
  };
  const all = [
    await signed(0),
    await signed(1),
    ...(await Promise.all(Array.from({ length: 300 }, (_, i) => signed(i)))),
  ];
  await pool.close();

  for (const [index, token] of all.entries()) {
    const { payload } = await compactVerify(
      token,
      publicKeys[index % 2] as Awaited<ReturnType<typeof importJWK>>,
    );
    expect(new TextDecoder().decode(payload)).toBe(String(index < 2 ? index : index - 2));
    expect(hasOnlySignature(token, index % 2 === 0 ? 'RS256' : 'ES256')).toBe(true);
  }
});

const cookbook = new URL(
  '../../../../shared/vectors/jose-cookbook/jws/4_1.rsa_v15_signature.json',
  import.meta.url,
);

const noCookbook = existsSync(cookbook)
  ? {}
  : { skip: true, meta: { skipped: 'the examples are not beside this repository' } };

declare module 'vitest' {
  interface TaskMeta {
    skipped?: string;
  }
}

test('RFC 7520 §4.1 has the signature that is made here, and by the threads', noCookbook, async () => {
  const { input, signing } = JSON.parse(readFileSync(cookbook, 'utf8')) as {
    input: { key: JsonWebKey & { kid: string } };
    signing: { 'sig-input': string; sig: string };
  };
  const pool = signPool(1);
  const key = { kid: input.key.kid, alg: 'RS256' as const, jwk: input.key as never };

  const signAll = (count: number) =>
    Promise.all(Array.from({ length: count }, () => pool.sign(key, signing['sig-input'])));
  for (const count of [1, MORE_THAN_A_COUPLE])
    expect(new Set(await signAll(count))).toEqual(new Set([signing.sig]));
  await pool.close();
});

test('what waits for a signing thread that ends, and what it had in hand, can be asked for again', async () => {
  const key = await generateSigningKey('RS256');
  for (const isInHand of [false, true]) {
    const pool = signPool(1);
    const cut = Array.from({ length: MORE_THAN_A_COUPLE }, () => pool.sign(key, `${HEADERS.RS256}.e30`));
    const settled = Promise.allSettled(cut);
    if (isInHand) await Promise.resolve();
    await pool.close();

    const reason = isInHand ? 'a signing thread ended' : 'the signing threads are closed';
    const refused = { status: 'rejected', reason: { code: 'temporarily_unavailable', message: reason } };
    expect(await settled).toMatchObject(cut.map(() => refused));
  }
});

test('a couple of signatures is made where there is no thread at all', async () => {
  const pool = signPool(0);
  const key = await generateSigningKey('RS256');
  const input = `${HEADERS.RS256}.e30`;

  const signatures = await Promise.all([pool.sign(key, input), pool.sign(key, input)]);
  await pool.close();

  const publicKey = await importJWK(publicOf(key.jwk), 'RS256');
  for (const signature of signatures) await compactVerify(`${input}.${signature}`, publicKey);
});

test('both integers of an ECDSA signature keep their place, whatever their lengths', () => {
  const integer = (hex: string) => Buffer.concat([Buffer.from([2, hex.length / 2]), Buffer.from(hex, 'hex')]);
  const der = (r: string, s: string) => {
    const both = Buffer.concat([integer(r), integer(s)]);
    return Buffer.concat([Buffer.from([0x30, both.length]), both]);
  };
  const low = ['01', '7f'.repeat(31), `7e${'ff'.repeat(31)}`, `00${'80'.repeat(31)}`];

  for (const r of [...low, '7f'.repeat(32), `00${'ff'.repeat(32)}`]) {
    for (const s of low) {
      const expected = [r, s].map((hex) => hex.slice(-64).padStart(64, '0')).join('');
      expect(toP1363(der(r, s)).toString('hex')).toBe(expected);
    }
  }
});

test('a thousand signatures, converted by hand, are good as Node reads them, and all have the lower S', async () => {
  const { jwk } = await generateSigningKey('ES256');
  const key = createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const publicKey = createPublicKey({ key: publicOf(jwk), format: 'jwk' });

  for (let i = 0; i < 1000; i++) {
    const data = Buffer.from(String(i));
    const signature = toP1363(sign('sha256', data, key));
    expect(verify('sha256', data, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    expect(isLowS(signature)).toBe(true);
  }
});

test('a key that is let go of is learnt again when it is needed again', async () => {
  const pool = signPool(1);
  const key = await generateSigningKey('ES256');
  await pool.sign(key, 'a.b');
  pool.keepOnly(new Set());

  expect(await pool.sign(key, 'a.b')).toMatch(/^[\w-]{86}$/);
  await pool.close();
});

test('a spare key is given once', async () => {
  const generate = withSpares(generateSigningKey);
  const keys = [await generate('ES256'), await generate('ES256'), await generate('ES256')];

  expect(new Set(keys.map(({ kid }) => kid)).size).toBe(3);
});

const publicOf = ({ kty, n, e, crv, x, y }: Record<string, unknown>) =>
  JSON.parse(JSON.stringify({ kty, n, e, crv, x, y })) as Record<string, string>;
