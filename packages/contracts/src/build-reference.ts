import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';

/** Names one life of one build, everywhere. */
export type BuildReference = { source: string; id: string; attempt: number };

/** Takes the names of a build's life; gives them as one word of `[A-Za-z0-9_-]`. */
export function writeBuildReference({ source, id, attempt }: BuildReference): string {
  return Buffer.from(`${source}/${attempt}/${id}`).toString('base64url');
}

/** Takes a word; gives the names in it, or undefined where it is not one that we wrote. */
export function readBuildReference(word: string): BuildReference | undefined {
  const text = Buffer.from(word, 'base64url').toString();
  const match = /^([a-z0-9-]{1,32})\/([1-9][0-9]{0,4})\/(.{1,128})$/.exec(text);
  if (!match) return undefined;
  const reference = { source: match[1] as string, attempt: Number(match[2]), id: match[3] as string };
  return writeBuildReference(reference) === word ? reference : undefined;
}

const MAC_CHARACTERS = 43;

/**
 * Takes a build's life, the digest of its admitted start and a key; gives the token with which its runner asks
 * for ID tokens: `mfr_<reference>_<HMAC-SHA256>`. Derived, so that it need not be stored.
 */
export function deriveRequestToken(reference: BuildReference, digest: string, key: KeyObject): string {
  return `mfr_${writeBuildReference(reference)}_${mac(reference, digest, key)}`;
}

/** Takes a request token; gives the build that it names, unproven, or undefined where it has not the form. */
export function readRequestToken(token: string): BuildReference | undefined {
  const match = /^mfr_([A-Za-z0-9_-]{7,300})_[A-Za-z0-9_-]{43}$/.exec(token);
  return match ? readBuildReference(match[1] as string) : undefined;
}

/** Takes a build's life, the digest of its admitted start and keys; gives how its request token ends under each. */
export function requestTokenEnds(
  reference: BuildReference,
  digest: string,
  keys: readonly KeyObject[],
): Buffer[] {
  return keys.map((key) => Buffer.from(mac(reference, digest, key)));
}

/** Says, in constant time, whether `token` ends in one of `ends`. */
export function isRequestToken(token: string, ends: readonly Buffer[]): boolean {
  const shown = Buffer.from(token.slice(-MAC_CHARACTERS));
  let found = false;
  for (const end of ends) {
    if (timingSafeEqual(shown, end)) found = true;
  }
  return found;
}

function mac({ source, id, attempt }: BuildReference, digest: string, key: KeyObject): string {
  return createHmac('sha256', key)
    .update(JSON.stringify([source, id, attempt, digest]))
    .digest('base64url');
}
