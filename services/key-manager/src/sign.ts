import { ServiceError } from '@mayfly/contracts/errors';
import { type IdTokenToSign, MAX_BACKDATED_SECONDS } from '@mayfly/contracts/signing';
import { isClaimName } from '@mayfly/profiles/claims';
import { type KeyHolder, signJws } from './jws.ts';

/** What bounds what is signed for one source, whoever asks for it. */
export type Bounds = { issuer: string; claims: ReadonlySet<string>; maxLifetimeSeconds: number };

/** What signing needs: who holds the keys, the bounds of each source, and the time (s since 1970). */
export type Signer = KeyHolder & { bounds(source: string): Bounds | undefined; now(): number };

/** Furthest that `iat` may lie from our clock, seconds. */
export const MAX_SKEW_SECONDS = 30;

/**
 * Signs one ID token (`typ: JWT`), `iss` added. Throws `invalid_request` where its claims are not in the closed list of
 * the source or its times are out of bounds, `temporarily_unavailable` where no key is fit to sign.
 */
export async function signIdToken({ source, alg, claims }: IdTokenToSign, signer: Signer): Promise<string> {
  const bounds = boundsOf(source, signer);
  // Only whose clock agrees with the leader's can say that the times of others are wrong.
  if (!signer.views.now(source)) await signer.views.confirmed(source);
  assertBounded(claims, bounds, signer.now());
  return await signJws({ source, typ: 'JWT', alg, issuer: bounds.issuer, claims }, signer);
}

/** Gives the bounds of a source; throws `temporarily_unavailable` where they are not known here. */
export function boundsOf(source: string, signer: Pick<Signer, 'bounds'>): Bounds {
  const bounds = signer.bounds(source);
  if (!bounds) throw new ServiceError('temporarily_unavailable', 'the source has no keys here');
  return bounds;
}

function assertBounded(
  claims: Record<string, unknown>,
  bounds: Bounds,
  now: number,
): asserts claims is { iat: number; exp: number } {
  assertTimes(claims, bounds.maxLifetimeSeconds, now);
  if (!isText(claims['sub']) || !isText(claims['jti'])) refuse('sub and jti must be text');
  if (!isAudience(claims['aud'])) refuse('aud must be text, or a list of it');
  for (const name of Object.keys(claims)) {
    if (name === 'iss' || !isClaimName(bounds.claims, name))
      refuse('a claim is not in the list of this source');
  }
}

function assertTimes(
  { iat, nbf, exp }: Record<string, unknown>,
  maxLifetimeSeconds: number,
  now: number,
): void {
  if (!isTime(iat) || !isTime(nbf) || !isTime(exp)) refuse('iat, nbf and exp must be whole seconds');
  if (Math.abs(iat - now) > MAX_SKEW_SECONDS) refuse('iat is too far from the present');
  if (nbf > iat || nbf < iat - MAX_BACKDATED_SECONDS) refuse('nbf is out of bounds');
  if (exp <= iat || exp - iat > maxLifetimeSeconds) refuse('the lifetime is out of bounds');
}

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isTime = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) > 0;

function isAudience(aud: unknown): boolean {
  return isText(aud) || (Array.isArray(aud) && aud.length > 0 && aud.every(isText));
}

/** Throws `invalid_request`. */
export function refuse(message: string): never {
  throw new ServiceError('invalid_request', message);
}
