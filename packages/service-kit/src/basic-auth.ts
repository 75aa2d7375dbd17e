import { createHash, timingSafeEqual } from 'node:crypto';

/** Takes an Authorization header; gives the name that it proves, undefined where it proves none. */
export type BasicAuthentication = (authorization: string | undefined) => string | undefined;

/**
 * Takes names and their secrets; gives the check of HTTP Basic credentials (RFC 7617), in constant time. Name and secret
 * are also taken form-decoded, as RFC 6749 §2.3.1 says.
 */
export function basicAuthentication(secrets: Readonly<Record<string, string>>): BasicAuthentication {
  const known = new Map(Object.entries(secrets).map(([name, secret]) => [name, hash(secret)]));
  const nobody = hash('');
  return (authorization) => {
    const pair = readBasic(authorization);
    if (!pair) return undefined;
    for (const [name, secret] of [pair, pair.map(formDecoded) as [string, string]]) {
      const expected = known.get(name);
      if (timingSafeEqual(hash(secret), expected ?? nobody) && expected) return name;
    }
    return undefined;
  };
}

/** Takes an Authorization header; gives the two halves of its Basic credentials as they stand, undefined where there are none. */
export function readBasic(authorization: string | undefined): [string, string] | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '');
  if (!match) return undefined;
  const text = Buffer.from(match[1] as string, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
}

const hash = (text: string) => createHash('sha256').update(text).digest();

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
