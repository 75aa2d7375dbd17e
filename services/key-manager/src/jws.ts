import { ServiceError } from '@mayfly/contracts/errors';
import type { Algorithm } from '@mayfly/contracts/signing';
import type { KeyCustody } from './custody.ts';
import { activeKey, signsForSeconds } from './keyring.ts';
import type { Views } from './views.ts';

type Claims = Record<string, unknown> & { exp: number; iat: number };

/** What is signed: claims, and the header's `typ` and `alg`. */
export type ToSign = { source: string; typ: string; alg: Algorithm; claims: Claims };

/** Who signs it: the keyrings as they are known, and where their keys are. */
export type KeyHolder = { views: Pick<Views, 'now' | 'confirmed'>; custody: Pick<KeyCustody, 'sign'> };

/**
 * Signs claims with the active key of their source (RFC 7515 §7.1). The keyring is confirmed before the signature and
 * again after it, so that a process that was paused between the two gives nothing away that a revoked key has signed.
 * Throws `temporarily_unavailable` where no key is fit to sign.
 */
export async function signJws(
  { source, typ, alg, claims }: ToSign,
  { views, custody }: KeyHolder,
): Promise<string> {
  const payload = Buffer.from(JSON.stringify(claims)).toString('base64url');
  for (let tries = 0; tries < 3; tries++) {
    const key = activeKey(views.now(source) ?? (await views.confirmed(source)), alg);
    if (!key) throw new ServiceError('temporarily_unavailable', 'no key is active for this algorithm');
    if (claims.exp - claims.iat > signsForSeconds(key))
      throw new ServiceError('temporarily_unavailable', 'the key is not known to sign for that long yet');
    const header = Buffer.from(JSON.stringify({ alg, kid: key.kid, typ })).toString('base64url');
    const input = `${header}.${payload}`;
    const signature = await custody.sign(key, input);
    const after = views.now(source) ?? (await views.confirmed(source));
    if (after.keys.some(({ kid }) => kid === key.kid)) return `${input}.${signature}`;
  }
  throw new ServiceError('temporarily_unavailable', 'the key was revoked while it signed');
}
