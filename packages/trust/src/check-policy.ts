import { evaluateAws } from './aws-evaluate.ts';
import { awsWarnings } from './aws-warnings.ts';
import type { NearMiss } from './near-misses.ts';
import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';
import type { TrustPolicy } from './read-trust-policy.ts';
import type { TokenClaims } from './token-of.ts';
import { evaluateVault } from './vault-evaluate.ts';
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
 * Takes a policy that was read, a token's claims, what is known of its kind, and builds that are nearly the same; says
 * whether the token is admitted, by which condition, and what else is.
 */
export function checkPolicy(
  given: TrustPolicy,
  claims: TokenClaims,
  known: TokenKnowledge,
  others: readonly NearMiss[] = [],
): CheckedPolicy {
  if (given.language === 'aws') {
    const judge = (one: TokenClaims) => evaluateAws(given.policy, one);
    const warnings = awsWarnings(given.policy, claims, known);
    return { language: 'aws', ...judge(claims), warnings, ...admittedOf(others, judge) };
  }
  // The mount has the keys of one issuer; where it is not given along, it is taken to be the token's.
  const role = { ...given.role, boundIssuer: given.role.boundIssuer ?? String(claims['iss'] ?? '') };
  const judge = (one: TokenClaims) => evaluateVault(role, one);
  const warnings = vaultWarnings(role, claims, known);
  return { language: 'vault', ...judge(claims), warnings, ...admittedOf(others, judge) };
}

function admittedOf(
  others: readonly NearMiss[],
  judge: (claims: TokenClaims) => Verdict,
): Pick<CheckedPolicy, 'admitted_too' | 'same_kind'> {
  const admitted = others.filter(({ claims }) => claims && judge(claims).admitted !== false);
  const named = (isSame: boolean) =>
    admitted.flatMap(({ name, isSameKind = false }) => (isSameKind === isSame ? [name] : []));
  return { admitted_too: named(false), same_kind: named(true) };
}
