import { ServiceError } from '@mayfly/contracts/errors';
import type { Kind } from './kind-of-build.ts';

/** Takes a kind and who fetches its keys; throws a ServiceError where the issuer is not at https. */
export function requireHttps({ issuer }: Kind, who: string): void {
  if (URL.parse(issuer)?.protocol === 'https:') return;
  throw new ServiceError(
    'invalid_request',
    `${who} takes issuers at https, and not ${issuer}: set base_url in mayfly.yaml, or give --issuer`,
  );
}

/** Takes a kind and who takes tokens signed with RS256 only; throws a ServiceError that names the line which says otherwise. */
export function requireRs256({ algorithm: { name, place }, audience, source }: Kind, who: string): void {
  if (name === 'RS256') return;
  throw new ServiceError(
    'invalid_request',
    `${who} takes RS256 only, and ${place} has tokens for ${audience} signed with ${name}: set RS256 there (sources.${source}.algorithms)`,
  );
}
