import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import type { Algorithm } from './signing.ts';
import { toDer } from './to-der.ts';

/** A public key, ready to verify with, bound to its one algorithm. */
export type VerifyingKey = { alg: Algorithm; key: KeyObject };

const FAMILIES = { RS256: 'rsa', ES256: 'ec' } as const;
const MIN_RSA_BITS = 2048;
const ES256_BYTES = 64;

/** Takes a JWK; gives its key. Throws where the key is not one of its algorithm (RFC 7518 §3.3, §3.4) or too short. */
export function verifyingKey(jwk: JsonWebKey & { kid: string; alg: Algorithm }): VerifyingKey {
  const { alg, kid } = jwk;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const { modulusLength = MIN_RSA_BITS, namedCurve = P256 } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== FAMILIES[alg] || namedCurve !== P256)
    throw new TypeError(`the key ${kid} is not one for ${alg}`);
  if (modulusLength < MIN_RSA_BITS) throw new TypeError(`the key ${kid} is too short`);
  return { alg, key };
}

/** P-256, as OpenSSL calls it. */
const P256 = 'prime256v1';

/**
 * Says whether a compact JWS in its canonical form is signed with this key, by its algorithm (RFC 7515 §5.2). On the
 * calling thread: the way to another one and back costs more than the work. The key is given bare, for with options beside
 * it Node 24 takes twice as long.
 */
export function isSignedWith({ alg, key }: VerifyingKey, token: string): boolean {
  const end = token.lastIndexOf('.');
  const input = Buffer.from(token.slice(0, end), 'latin1');
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  if (alg === 'RS256') return verify('sha256', input, key, signature);
  return signature.length === ES256_BYTES && verify('sha256', input, key, toDer(signature));
}
