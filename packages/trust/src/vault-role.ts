import { ServiceError } from '@mayfly/contracts/errors';
import { longestLife } from './vault-lifetime.ts';

/** A role of Vault's JWT login, as far as it says who may log in. */
export type VaultRole = {
  roleType: string;
  boundAudiences: string[];
  boundSubject: string;
  boundClaims: Record<string, unknown>;
  boundClaimsType: string;
  userClaim: string;
  userClaimJsonPointer: boolean;
  groupsClaim: string;
  claimMappings: Record<string, string>;
  /** Longest life of the Vault token, seconds; 0 where the role sets no end. */
  longestSeconds: number;
  /** The issuer that the mount's configuration holds fast, where it is given along. */
  boundIssuer: string | undefined;
};

/** Takes JSON, as `vault read -format=json` gives it or as it is written; gives the role. Throws a ServiceError. */
export function readVaultRole(value: unknown): VaultRole {
  const given = record(value, 'the role');
  const role = 'data' in given ? record(given['data'], 'data') : given;
  const text = (name: string, fallback = '') => String(role[name] ?? fallback);
  if (role['user_claim'] === undefined) fault('the role has no user_claim, which Vault wants');
  const type = text('bound_claims_type', 'string') || 'string';
  if (!['string', 'glob'].includes(type)) fault('bound_claims_type must be string or glob');
  return {
    roleType: text('role_type', 'oidc') || 'oidc',
    boundAudiences: list(role['bound_audiences']),
    boundSubject: text('bound_subject'),
    boundClaims: record(role['bound_claims'] ?? {}, 'bound_claims'),
    boundClaimsType: type,
    userClaim: text('user_claim'),
    userClaimJsonPointer: role['user_claim_json_pointer'] === true,
    groupsClaim: text('groups_claim'),
    claimMappings: record(role['claim_mappings'] ?? {}, 'claim_mappings') as Record<string, string>,
    longestSeconds: longestLife(role),
    boundIssuer: role['bound_issuer'] === undefined ? undefined : text('bound_issuer'),
  };
}

function list(value: unknown): string[] {
  if (value === undefined || value === null || value === '') return [];
  return typeof value === 'string' ? value.split(',').map((one) => one.trim()) : [value].flat().map(String);
}

function record(value: unknown, name: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) fault(`${name} must be an object`);
  return value as Record<string, unknown>;
}

function fault(message: string): never {
  throw new ServiceError(
    'invalid_request',
    `${message}: give the role (vault read -format=json auth/jwt/role/NAME)`,
  );
}
