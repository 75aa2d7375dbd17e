import { ServiceError } from '@mayfly/contracts/errors';
import { evaluateAws } from './aws-evaluate.ts';
import { readAwsPolicy } from './aws-policy.ts';
import { awsWarnings } from './aws-warnings.ts';
import type { NearMiss } from './near-misses.ts';
import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';
import type { TokenClaims } from './token-of.ts';
import { evaluateVault } from './vault-evaluate.ts';
import { readVaultRole } from './vault-role.ts';
import { vaultWarnings } from './vault-warnings.ts';
import type { Verdict } from './verdict.ts';

/** What a policy says to a token, and what it says to others that it should not. */
export type CheckedPolicy = Verdict & {
  language: 'aws' | 'vault';
  warnings: PolicyWarning[];
  /** Of the builds that are nearly the same, those that are admitted too. */
  admitted_too: string[];
  /** And those of the same code at another time or place. */
  same_kind: string[];
};

/**
 * Takes the text of an AWS trust policy or of a role of Vault's JWT login, a token's claims and what is known of its
 * kind; says whether it is admitted, by which condition, and what else is. Throws a ServiceError for another text.
 */
export function checkPolicy(
  text: string,
  claims: TokenClaims,
  known: TokenKnowledge,
  others: readonly NearMiss[] = [],
): CheckedPolicy {
  const value = parse(text);
  const too = (judge: (claims: TokenClaims) => Verdict) => {
    const admitted = others.filter(({ claims: one }) => one && judge(one).admitted !== false);
    const named = (isSame: boolean) =>
      admitted.flatMap(({ name, isSameKind = false }) => (isSameKind === isSame ? [name] : []));
    return { admitted_too: named(false), same_kind: named(true) };
  };
  if (isAws(value)) {
    const policy = readAwsPolicy(value);
    const judge = (one: TokenClaims) => evaluateAws(policy, one);
    return {
      language: 'aws',
      ...judge(claims),
      warnings: awsWarnings(policy, claims, known),
      ...too(judge),
    };
  }
  const read = readVaultRole(value);
  // The mount has the keys of one issuer; where it is not given along, it is taken to be the token's.
  const role = { ...read, boundIssuer: read.boundIssuer ?? String(claims['iss'] ?? '') };
  const judge = (one: TokenClaims) => evaluateVault(role, one);
  return {
    language: 'vault',
    ...judge(claims),
    warnings: vaultWarnings(role, claims, known),
    ...too(judge),
  };
}

function isAws(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'Statement' in value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ServiceError(
      'invalid_request',
      'the policy is not JSON: give an AWS trust policy, or a role of Vault (vault read -format=json auth/jwt/role/NAME)',
      { cause },
    );
  }
}
