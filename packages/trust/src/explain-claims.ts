import { POLICY_DEFAULTS } from '@mayfly/contracts/policy';
import type { Facts } from '@mayfly/profiles/facts';
import { fieldName } from '@mayfly/profiles/fields';
import type { ClaimRule, Profile } from '@mayfly/profiles/profile';
import { ruleNamed } from '@mayfly/profiles/rule-named';
import { TAGS_CLAIM } from '@mayfly/profiles/standard-claims';
import { pathsOfRule, trustOf } from './claim-origins.ts';
import type { Deployment } from './deployment.ts';
import type { TokenClaims } from './token-of.ts';

/** One claim of a token: its value, and where that came from. */
export type ExplainedClaim = {
  claim: string;
  value: unknown;
  from: string;
  /** Fields of the build, as its CI sends them. */
  fields: string[];
  trust: 'trusted' | 'user-controlled';
};

/** Takes a deployment, the facts of a build and the claims of its token; gives each with where it came from. */
export function explainClaims(deployment: Deployment, facts: Facts, claims: TokenClaims): ExplainedClaim[] {
  const { profile } = deployment;
  const rules = [...profile.claims, ...profile.optionalClaims];
  return Object.entries(claims).map(([claim, value]) => {
    const standard = STANDARD[claim];
    if (standard) return { claim, value, from: standard(deployment), fields: [], trust: 'trusted' };
    const rule = ruleNamed(rules, claim);
    return rule
      ? { claim, value, ...originOf(rule, facts) }
      : { claim, value, from: 'the issuer', fields: [], trust: 'trusted' };
  });
}

/** Takes a profile and the claims of a token; gives the claims that it leaves out, and the fields that would fill them. */
export function leftOut(profile: Profile, claims: TokenClaims): { claim: string; fields: string[] }[] {
  return profile.claims
    .filter(({ name }) => !name.endsWith('*') && !Object.hasOwn(claims, name))
    .map((rule) => ({ claim: rule.name, fields: fieldsOf(pathsOfRule(rule)) }));
}

const STANDARD: Readonly<Record<string, (deployment: Deployment) => string>> = {
  iss: ({ from, issuer }) =>
    from.policy.base_url !== undefined && issuer?.startsWith(from.policy.base_url)
      ? `base_url of ${from.file}:${from.lineOf(['base_url'])}, and the source`
      : '--issuer',
  sub: () => 'the subject, below',
  aud: () => 'what was asked for',
  exp: ({ policy }) =>
    `iat and the lifetime (${policy.lifetime ?? POLICY_DEFAULTS.lifetime}), not past the deadline`,
  iat: () => 'when it is issued',
  nbf: ({ profile }) =>
    profile.notBeforeSeconds === undefined
      ? 'iat less the allowed skew of 30 s'
      : `iat less ${profile.notBeforeSeconds} s, as the profile ${profile.name} says`,
  jti: () => 'source, id and attempt of the build, and a random UUID',
  [TAGS_CLAIM]: () => 'claims that were asked for as session tags',
};

function originOf(rule: ClaimRule, facts: Facts): Pick<ExplainedClaim, 'from' | 'fields' | 'trust'> {
  const { source, absent } = rule;
  if (source.kind === 'value') return { from: 'the profile, always', fields: [], trust: 'trusted' };
  const paths = pathsOfRule(rule);
  const held = paths.filter((path) => factAt(facts, path) !== undefined);
  const used = source.kind === 'facts' ? held.slice(0, 1) : held;
  if (used.length === 0)
    return {
      from: `${JSON.stringify(absent ?? '')}, as the profile says where the build has none`,
      fields: fieldsOf(paths),
      trust: 'trusted',
    };
  const trust = used.some((path) => trustOf(path) === 'user-controlled') ? 'user-controlled' : 'trusted';
  return { from: used.join(', '), fields: fieldsOf(used), trust };
}

function factAt(facts: Facts, path: string): unknown {
  const dot = path.lastIndexOf('.');
  const map = facts(path.slice(0, dot)) as Record<string, unknown> | undefined;
  return facts(path) ?? (typeof map === 'object' ? map[path.slice(dot + 1)] : undefined);
}

function fieldsOf(paths: readonly string[]): string[] {
  return [...new Set(paths.map(fieldName))];
}
