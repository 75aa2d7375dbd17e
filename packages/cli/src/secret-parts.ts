import { CommandError } from './exit-codes.ts';
import { withoutLineEnds } from './mask-forms.ts';

/** Shortest secret that can be masked; what is shorter would blot out ordinary text. */
export const MIN_SECRET_CHARACTERS = 8;

/** Takes a secret; gives the parts that must not be seen either. Throws where the secret is too short. */
export function secretParts(secret: string): Uint8Array[] {
  if (withoutLineEnds(Buffer.from(secret)).length < MIN_SECRET_CHARACTERS) {
    throw new CommandError(
      'masking',
      `a secret of fewer than ${MIN_SECRET_CHARACTERS} characters cannot be masked: use a longer one`,
    );
  }
  const parts = [Buffer.from(secret), ...tokenParts(secret), ...requestTokenParts(secret), ...lines(secret)];
  return parts.filter((part) => withoutLineEnds(part).length >= MIN_SECRET_CHARACTERS);
}

/** The segments of a JWS, what is signed, and the bytes of the signature: the one part that is truly secret. */
function tokenParts(secret: string): Buffer[] {
  const segments = secret.split('.');
  if (segments.length !== 3 || !segments.every((segment) => /^[A-Za-z0-9_-]+$/.test(segment))) return [];
  const signed = segments.slice(0, 2).join('.');
  const signature = Buffer.from(segments[2] ?? '', 'base64url');
  return [...segments, signed].map((text) => Buffer.from(text)).concat(signature);
}

function requestTokenParts(secret: string): Buffer[] {
  const mac = /^mfr_[A-Za-z0-9_-]+_([A-Za-z0-9_-]{43})$/.exec(secret)?.[1];
  return mac === undefined ? [] : [Buffer.from(mac), Buffer.from(mac, 'base64url')];
}

/** Each line of a private key or the like: output is often indented or prefixed line by line. */
function lines(secret: string): Buffer[] {
  const all = secret.split(/\r?\n/).map((line) => line.trim());
  return all.length > 1 ? all.map((line) => Buffer.from(line)) : [];
}
