const SHAPE = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
/** Longest token that anything of ours reads, bytes: above it no relying party would take it either. */
export const MAX_TOKEN_BYTES = 8192;
const MAX_HEADER_CHARACTERS = 684;

/**
 * Takes text; says whether it is a compact JWS in its one canonical form (RFC 7515 §3.1, §2): three parts of
 * base64url without padding, spaces or spare bits. `jose` reads more than this.
 */
export function isCanonicalJws(token: string): boolean {
  return token.length <= MAX_TOKEN_BYTES && isCanonicalForm(token);
}

/** The same of what may be longer than a token: a status list. */
export function isCanonicalForm(token: string): boolean {
  if (!SHAPE.test(token)) return false;
  const parts = token.split('.');
  return (parts[0] as string).length <= MAX_HEADER_CHARACTERS && parts.every(hasNoSpareBits);
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function hasNoSpareBits(part: string): boolean {
  const rest = part.length % 4;
  if (rest === 0) return true;
  if (rest === 1) return false;
  const last = ALPHABET.indexOf(part.charAt(part.length - 1));
  return rest === 2 ? (last & 15) === 0 : (last & 3) === 0;
}
