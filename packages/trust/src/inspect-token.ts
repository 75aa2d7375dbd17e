import type { BuildReference } from '@mayfly/contracts/build-reference';
import { type Against, buildOf, claimOddities } from './inspect-claims.ts';
import { readForm } from './inspect-form.ts';
import { headerOddities } from './inspect-header.ts';
import type { Oddity } from './oddity.ts';
import { type Limit, limitsOf } from './relying-party-limits.ts';
import type { TokenClaims } from './token-of.ts';

/** What can be read of a token without its key. */
export type InspectedToken = {
  header: Record<string, unknown>;
  claims: TokenClaims;
  bytes: number;
  /** The build that it is of, where its `jti` says so. */
  build?: BuildReference;
  odd: Oddity[];
  limits: Limit[];
};

/** Takes a token and what to hold it against; gives what it says and what is odd about it. Throws a ServiceError for what is none. */
export function inspectToken(text: string, against: Against): InspectedToken {
  const { header, claims, odd } = readForm(text);
  const bytes = Buffer.byteLength(text.trim().replace(/^Bearer\s+/i, ''));
  const build = buildOf(claims);
  return {
    header,
    claims,
    bytes,
    ...(build && { build }),
    odd: [...odd, ...headerOddities(header), ...claimOddities(claims, against)],
    limits: limitsOf(bytes, header, claims),
  };
}
