import { ServiceError } from '@mayfly/contracts/errors';
import { ID_TOKEN_TYPE, TOKEN_EXCHANGE, TokenWish } from '@mayfly/contracts/schema-routes-issuer';
import type { Issued } from './issue.ts';

/** A token exchange (RFC 8693 §2.1): the request token that it shows, and what is asked for besides. */
export type Exchange = { requestToken: string; wish: Record<string, unknown> };

/** What we cannot do, and must not seem to have done; what else is unknown is ignored (RFC 6749 §3.2). */
const BEYOND_US = ['resource', 'actor_token'];

/**
 * Takes the body of a request for a token; gives the exchange that it is, undefined where it names no grant. Throws
 * `unsupported_grant_type` for another grant, and `invalid_request` for a subject token that is missing and what we do not give.
 */
export function exchangeIn(body: unknown): Exchange | undefined {
  const fields = (body ?? {}) as Record<string, unknown>;
  if (typeof body !== 'object' || fields['grant_type'] === undefined) return undefined;
  if (fields['grant_type'] !== TOKEN_EXCHANGE)
    throw new ServiceError('unsupported_grant_type', `grant_type must be ${TOKEN_EXCHANGE}`);
  const { subject_token: requestToken, requested_token_type: wanted = ID_TOKEN_TYPE } = fields;
  if (typeof requestToken !== 'string')
    throw new ServiceError('invalid_request', 'subject_token must be the request token of a build');
  if (wanted !== ID_TOKEN_TYPE)
    throw new ServiceError('invalid_request', `requested_token_type must be ${ID_TOKEN_TYPE}`);
  const beyond = BEYOND_US.find((name) => fields[name] !== undefined);
  if (beyond !== undefined) throw new ServiceError('invalid_request', `${beyond} cannot be asked for`);
  const wish = Object.fromEntries(Object.entries(fields).filter(([name]) => Object.hasOwn(TokenWish, name)));
  return { requestToken, wish };
}

/** A subject token that is none is `invalid_request` (RFC 8693 §2.2.2). */
export function exchangeFailure(error: unknown): unknown {
  if (!(error instanceof ServiceError) || error.code !== 'invalid_token') return error;
  return new ServiceError('invalid_request', 'subject_token is no request token of a running build', {
    cause: error,
  });
}

/** Takes what was issued and the time, seconds since 1970; gives the answer to an exchange (RFC 8693 §2.2.1) as JSON. */
export function exchangeReply({ token, expiresAt }: Issued, now: number): string {
  return JSON.stringify({
    access_token: token,
    issued_token_type: ID_TOKEN_TYPE,
    token_type: 'N_A',
    expires_in: Math.max(0, expiresAt - now),
  });
}
