import { ServiceError } from '@mayfly/contracts/errors';
import type { Algorithm } from '@mayfly/contracts/signing';
import type { KeyCustody } from './custody.ts';
import { activeKey, type SigningKey, signsForSeconds } from './keyring.ts';
import type { Views } from './views.ts';

type Claims = Record<string, unknown> & { exp: number; iat: number };

/** What is signed: the issuer and the claims beside it, and the header's `typ` and `alg`. */
export type ToSign = { source: string; typ: string; alg: Algorithm; issuer: string; claims: Claims };

/** Who signs it: the keyrings as they are known, and where their keys are. */
export type KeyHolder = { views: Pick<Views, 'now' | 'confirmed'>; custody: Pick<KeyCustody, 'sign'> };

/**
 * Signs claims with the active key of their source (RFC 7515 §7.1). The keyring is confirmed before the signature and
 * again after it, so that a process that was paused between the two gives nothing away that a revoked key has signed.
 * Throws `temporarily_unavailable` where no key is fit to sign.
 */
export async function signJws(
  { source, typ, alg, issuer, claims }: ToSign,
  { views, custody }: KeyHolder,
): Promise<string> {
  const payload = Buffer.from(payloadOf(issuer, claims)).toString('base64url');
  for (let tries = 0; tries < 3; tries++) {
    const key = activeKey(views.now(source) ?? (await views.confirmed(source)), alg);
    if (!key) throw new ServiceError('temporarily_unavailable', 'no key is active for this algorithm');
    if (claims.exp - claims.iat > signsForSeconds(key))
      throw new ServiceError('temporarily_unavailable', 'the key is not known to sign for that long yet');
    const input = `${headerOf(key, typ)}.${payload}`;
    const signature = await custody.sign(key, input);
    const after = views.now(source) ?? (await views.confirmed(source));
    if (after.keys.some(({ kid }) => kid === key.kid)) return `${input}.${signature}`;
  }
  throw new ServiceError('temporarily_unavailable', 'the key was revoked while it signed');
}

/** Gives the claims as JSON, `iss` before the others, none of which is it: to copy them takes as long as to write them. */
function payloadOf(issuer: string, claims: Claims): string {
  return `{"iss":${JSON.stringify(issuer)},${JSON.stringify(claims).slice(1)}`;
}

const headers = new WeakMap<SigningKey, Map<string, string>>();

/** Gives the protected header of what a key signs (RFC 7515 §4.1), worked out once for each `typ`. */
function headerOf(key: SigningKey, typ: string): string {
  const known = headers.get(key) ?? new Map<string, string>();
  headers.set(key, known);
  const header =
    known.get(typ) ?? Buffer.from(JSON.stringify({ alg: key.alg, kid: key.kid, typ })).toString('base64url');
  known.set(typ, header);
  return header;
}
