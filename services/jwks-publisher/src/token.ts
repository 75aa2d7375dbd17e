import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { recent } from '@mayfly/build-store/recent';
import { isCanonicalJws } from '@mayfly/contracts/compact-jws';
import { ServiceError } from '@mayfly/contracts/errors';
import { hasOnlySignature } from '@mayfly/contracts/low-s';
import { isSignedWith } from '@mayfly/contracts/verifying-key';
import type { ServedKeySet } from './key-sets.ts';
import type { Metrics } from './metrics.ts';

/** The claims of an ID token with a good signature of the issuer that was asked. */
export type IdTokenClaims = {
  iss: string;
  exp: number;
  nbf: number;
  iat: number;
  jti: string;
  aud?: string | string[];
  [name: string]: unknown;
};

/** What a token is: its claims, or how it failed: `forged` after work on a key, the others before any. */
export type ReadToken = { claims: IdTokenClaims } | 'shapeless' | 'unknown_key' | 'forged';

/** How much more work on signatures a caller may have made for nothing. */
export type Budget = { hasLeft(): boolean; spend(): void };

/**
 * Reads an ID token of `issuer` with the keys of its key set. Throws `slow_down` where it would take work on a key and the
 * budget has nothing left: tokens that are known, and those that are refused before any work, are read all the same.
 */
export type TokenReader = (token: string, issuer: string, keySet: ServedKeySet, budget?: Budget) => ReadToken;

const MAX_HEADER_BYTES = 512;

/**
 * Gives a reader that knows again, by their SHA-256, the very bytes that it last found well signed, about `remembered` of
 * them: the same bytes under the same key set say the same. Nothing about times, audience or build is remembered. Tells
 * `count` what became of each token.
 */
export function tokenReader(remembered: number, count: Metrics['tokens'] = () => undefined): TokenReader {
  type Seen = { claims: IdTokenClaims; keySet: ServedKeySet };
  const known = recent<Seen>(remembered);
  return (token, issuer, keySet, budget) => {
    const digest = hash('sha256', token, 'base64');
    const seen = known.get(digest);
    if (seen?.keySet === keySet) {
      count('remembered');
      return { claims: seen.claims };
    }
    const read = readToken(token, issuer, keySet, budget);
    if (read === 'forged') budget?.spend();
    count(typeof read === 'string' ? read : 'good');
    if (typeof read === 'object') known.set(digest, { claims: read.claims, keySet });
    return read;
  };
}

/**
 * What is cheap comes first: length, alphabet and canonical form, the header's size and members, its `typ` and `alg`, a
 * known `kid`, the lower S; only then the signature, with the one algorithm of that key.
 */
function readToken(...[token, issuer, keySet, budget]: Parameters<TokenReader>): ReadToken {
  if (!isCanonicalJws(token)) return 'shapeless';
  const header = readHeader(token.slice(0, token.indexOf('.')));
  if (!header) return 'shapeless';
  const signingKey = keySet.keys.get(header.kid);
  if (!signingKey) return 'unknown_key';
  if (signingKey.alg !== header.alg || !hasOnlySignature(token, signingKey.alg)) return 'shapeless';
  if (budget && !budget.hasLeft()) throw new ServiceError('slow_down', 'too many forged tokens');
  if (!isSignedWith(signingKey, token)) return 'forged';
  const claims = claimsOf(token);
  return claims?.iss === issuer ? { claims } : 'forged';
}

function readHeader(segment: string): { kid: string; alg: unknown } | undefined {
  const bytes = Buffer.from(segment, 'base64url');
  if (bytes.length > MAX_HEADER_BYTES) return undefined;
  const header = parseObject(bytes.toString());
  if (!header || Object.keys(header).length !== 3 || header['typ'] !== 'JWT') return undefined;
  const { kid, alg } = header;
  return typeof kid === 'string' ? { kid, alg } : undefined;
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

/** Gives the claims of an ID token, undefined where it says anything else, or not in UTF-8. */
function claimsOf(token: string): IdTokenClaims | undefined {
  const payload = Buffer.from(token.slice(token.indexOf('.') + 1, token.lastIndexOf('.')), 'base64url');
  const claims = isUtf8(payload) ? parseObject(payload.toString()) : undefined;
  return claims && isIdToken(claims) ? claims : undefined;
}

function isIdToken(claims: Record<string, unknown>): claims is IdTokenClaims {
  const { exp, nbf, iat, jti } = claims;
  return [exp, nbf, iat].every(Number.isSafeInteger) && typeof jti === 'string';
}
