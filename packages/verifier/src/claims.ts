import { isUtf8 } from 'node:buffer';
import { refuse } from './verification-error.ts';

/** What an ID token says (OpenID Connect Core §2), once verified. */
export type IdToken = {
  iss: string;
  sub: string;
  aud: string;
  exp: number;
  iat: number;
  nbf: number;
  jti: string;
  status?: { status_list?: { idx: number; uri: string } };
  [claim: string]: unknown;
};

type Expected = { issuer: string; audience: string; leewaySeconds: number; now(): number };

/** Takes a verified compact JWS; gives the claims in it. Throws `malformed` for anything that an ID token never is. */
export function readClaims(token: string): Record<string, unknown> {
  const payload = Buffer.from(token.slice(token.indexOf('.') + 1, token.lastIndexOf('.')), 'base64url');
  if (!isUtf8(payload)) throw refuse('malformed');
  try {
    const value: unknown = JSON.parse(payload.toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch (cause) {
    throw refuse('malformed', cause);
  }
  throw refuse('malformed');
}

/** Says that claims are what is expected; gives them with their types. Throws which check failed. */
export function checkClaims(claims: Record<string, unknown>, expected: Expected): IdToken {
  const { issuer, audience, leewaySeconds, now } = expected;
  const { iss, aud, exp, nbf, iat, sub, jti } = claims;
  if (iss !== issuer) throw refuse('wrong_issuer');
  if (aud !== audience && !isOnly(aud, audience)) throw refuse('wrong_audience');
  const times = [exp, nbf, iat].every((time) => Number.isSafeInteger(time));
  if (!times || typeof sub !== 'string' || typeof jti !== 'string') throw refuse('malformed');
  const time = now() / 1000;
  if (time >= (exp as number) + leewaySeconds) throw refuse('expired');
  if (time < (nbf as number) - leewaySeconds) throw refuse('not_yet_valid');
  if (time < (iat as number) - leewaySeconds) throw refuse('not_yet_valid');
  claims['aud'] = audience;
  return claims as IdToken;
}

function isOnly(aud: unknown, audience: string): boolean {
  return Array.isArray(aud) && aud.length === 1 && aud[0] === audience;
}
