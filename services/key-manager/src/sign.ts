import { ServiceError } from '@mayfly/contracts/errors';
import type { IdTokenToSign } from '@mayfly/contracts/signing';
import { isClaimName } from '@mayfly/profiles/claims';
import { CompactSign, type CryptoKey, importJWK } from 'jose';
import { activeKey, type Keyring } from './keyring.ts';

/** What bounds the ID tokens of one source, whoever asks for them. */
export type Bounds = { issuer: string; claims: ReadonlySet<string>; maxLifetimeSeconds: number };

/** What signing needs: the keyring and the bounds of each source, and the time (s since 1970). */
export type Signer = {
  keyring(source: string): Keyring | undefined;
  bounds(source: string): Bounds | undefined;
  now(): number;
};

/** Furthest that `iat` may lie from our clock, and `nbf` before `iat`, seconds. */
const MAX_SKEW_SECONDS = 30;
const MAX_BACKDATED_SECONDS = 600;

/**
 * Signs one ID token (RFC 7515 §7.1; `typ: JWT`, `kid`), `iss` added. Throws `invalid_request` where its claims are not
 * in the closed list of the source or its times are out of bounds, `temporarily_unavailable` where no key is active.
 */
export async function signIdToken({ source, alg, claims }: IdTokenToSign, signer: Signer): Promise<string> {
  const bounds = signer.bounds(source);
  const keyring = signer.keyring(source);
  if (!bounds || !keyring) throw new ServiceError('temporarily_unavailable', 'the source has no keys here');
  assertBounded(claims, bounds, signer.now());
  const key = activeKey(keyring, alg);
  if (!key) throw new ServiceError('temporarily_unavailable', 'no key is active for this algorithm');
  const payload = Buffer.from(JSON.stringify({ iss: bounds.issuer, ...claims }));
  const header = { alg, kid: key.kid, typ: 'JWT' };
  return await new CompactSign(payload).setProtectedHeader(header).sign(await imported(key));
}

function assertBounded(claims: Record<string, unknown>, bounds: Bounds, now: number): void {
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

function refuse(message: string): never {
  throw new ServiceError('invalid_request', message);
}

const importedKeys = new WeakMap<object, Promise<CryptoKey>>();

function imported({ jwk, alg }: { jwk: object; alg: string }): Promise<CryptoKey> {
  let key = importedKeys.get(jwk);
  if (!key) {
    key = importJWK(jwk, alg, { extractable: false }) as Promise<CryptoKey>;
    importedKeys.set(jwk, key);
  }
  return key;
}
