import { createHash, timingSafeEqual } from 'node:crypto';

/** A relying party that may introspect, and the audiences it is told about. */
export type RelyingParty = { name: string; audiences: ReadonlySet<string> };

type Known = RelyingParty & { secretHash: Buffer };

/** Finds the relying party that an Authorization header proves, undefined where it proves none. */
export type Authenticate = (authorization: string | undefined) => RelyingParty | undefined;

/**
 * Takes each relying party's audiences and secret; gives the check of HTTP Basic credentials (RFC 7617). Name and
 * secret are form-decoded, as RFC 6749 §2.3.1 says, and also taken as they stand, as many clients send them.
 */
export function basicAuthentication(
  parties: Record<string, { audiences: readonly string[] }>,
  secrets: Record<string, string>,
): Authenticate {
  const known = new Map<string, Known>();
  for (const [name, { audiences }] of Object.entries(parties)) {
    const secret = secrets[name];
    if (!secret) throw new TypeError(`settings: RELYING_PARTIES_FILE has no secret for ${name}`);
    known.set(name, { name, audiences: new Set(audiences), secretHash: hash(secret) });
  }
  const nobody: Known = { name: '', audiences: new Set(), secretHash: hash('') };
  return (authorization) => {
    const pair = readBasic(authorization);
    if (!pair) return undefined;
    for (const decode of [(text: string) => text, formDecoded]) {
      const [name, secret] = pair.map(decode) as [string, string];
      const party = known.get(name) ?? nobody;
      if (timingSafeEqual(hash(secret), party.secretHash) && party !== nobody) return party;
    }
    return undefined;
  };
}

const hash = (text: string) => createHash('sha256').update(text).digest();

function readBasic(authorization: string | undefined): [string, string] | undefined {
  const match = /^basic +([A-Za-z0-9+/]+={0,2})$/i.exec(authorization ?? '');
  if (!match) return undefined;
  const text = Buffer.from(match[1] as string, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : [text.slice(0, colon), text.slice(colon + 1)];
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
