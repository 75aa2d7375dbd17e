import { ServiceError } from '@mayfly/contracts/errors';
import { ID_TOKEN_TYPE, TOKEN_EXCHANGE } from '@mayfly/contracts/schema-routes-issuer';
import type { Issued } from './issue.ts';

/** A token exchange (RFC 8693 §2.1): the request token that it shows, and what is asked for besides. */
export type Exchange = { requestToken: string; wish: Record<string, unknown> };

const OURS = ['grant_type', 'subject_token', 'subject_token_type', 'requested_token_type', 'scope'];

/**
 * Takes the body of a request for a token; gives the exchange that it is, undefined where it names no grant. Throws
 * `invalid_request` for another grant, for a subject token that is missing, and for a type of token that we do not give.
 */
export function exchangeIn(body: unknown): Exchange | undefined {
  const fields = (body ?? {}) as Record<string, unknown>;
  if (typeof body !== 'object' || fields['grant_type'] === undefined) return undefined;
  if (fields['grant_type'] !== TOKEN_EXCHANGE)
    throw new ServiceError('invalid_request', `grant_type must be ${TOKEN_EXCHANGE}`);
  const { subject_token: requestToken, requested_token_type: wanted = ID_TOKEN_TYPE } = fields;
  if (typeof requestToken !== 'string')
    throw new ServiceError('invalid_request', 'subject_token must be the request token of a build');
  if (wanted !== ID_TOKEN_TYPE)
    throw new ServiceError('invalid_request', `requested_token_type must be ${ID_TOKEN_TYPE}`);
  const wish = Object.fromEntries(Object.entries(fields).filter(([name]) => !OURS.includes(name)));
  return { requestToken, wish };
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
