import { isCanonicalJws } from '@mayfly/contracts/compact-jws';
import { compactVerify, type JWTPayload } from 'jose';
import type { ServedKeySet, VerifyingKey } from './key-sets.ts';

/** The claims of an ID token with a good signature of the issuer that was asked. */
export type IdTokenClaims = JWTPayload & { exp: number; nbf: number; iat: number; jti: string };

/** What a token is: its claims, or how it failed: `shapeless` before any work on keys, `forged` after. */
export type ReadToken = { claims: IdTokenClaims } | 'shapeless' | 'forged';

const MAX_HEADER_BYTES = 512;

/**
 * Reads an ID token of `issuer`, what is cheap first: length, alphabet and canonical form, the header's size and
 * members, its `typ` and `alg`, a known `kid`; only then the signature, with the one algorithm of that key.
 */
export async function readToken(token: string, issuer: string, keySet: ServedKeySet): Promise<ReadToken> {
  if (!isCanonicalJws(token)) return 'shapeless';
  const signingKey = keyOf(token.slice(0, token.indexOf('.')), keySet);
  if (!signingKey) return 'shapeless';
  try {
    const { payload } = await compactVerify(token, signingKey.key, { algorithms: [signingKey.alg] });
    const claims: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return isIdToken(claims) && claims.iss === issuer ? { claims } : 'forged';
  } catch {
    return 'forged';
  }
}

function keyOf(segment: string, { keys }: ServedKeySet): VerifyingKey | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  if (bytes.length > MAX_HEADER_BYTES) return undefined;
  const header = parseObject(bytes.toString());
  if (!header || Object.keys(header).length !== 3 || header['typ'] !== 'JWT') return undefined;
  const { kid, alg } = header;
  const signingKey = typeof kid === 'string' ? keys.get(kid) : undefined;
  return signingKey?.alg === alg ? signingKey : undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isIdToken(claims: unknown): claims is IdTokenClaims {
  if (typeof claims !== 'object' || claims === null) return false;
  const { exp, nbf, iat, jti } = claims as Record<string, unknown>;
  return [exp, nbf, iat].every(Number.isSafeInteger) && typeof jti === 'string';
}
