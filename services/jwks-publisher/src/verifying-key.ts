import { createPublicKey, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import type { PublicJwk } from '@mayfly/contracts/keys';

/** A public key, ready to verify with, bound to its one algorithm. */
export type VerifyingKey = { alg: PublicJwk['alg']; key: KeyObject };

const FAMILIES = { RS256: 'rsa', ES256: 'ec' } as const;
const MIN_RSA_BITS = 2048;

/** Takes a JWK; gives its key. Throws where the key is not one of its algorithm (RFC 7518 §3.3, §3.4) or too short. */
export function verifyingKey(jwk: PublicJwk): VerifyingKey {
  const { alg } = jwk;
  const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  const { modulusLength = MIN_RSA_BITS } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType !== FAMILIES[alg])
    throw new TypeError(`the key ${jwk.kid} is not one for ${alg}`);
  if (modulusLength < MIN_RSA_BITS) throw new TypeError(`the key ${jwk.kid} is too short`);
  return { alg, key };
}

/**
 * Says whether a compact JWS in its canonical form is signed with this key, by its algorithm (RFC 7515 §5.2). On the
 * calling thread: the way to another one and back costs more than the work.
 */
export function isSignedWith({ key }: VerifyingKey, token: string): boolean {
  const end = token.lastIndexOf('.');
  const input = Buffer.from(token.slice(0, end), 'latin1');
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  return verify('sha256', input, { key, dsaEncoding: 'ieee-p1363' }, signature);
}
