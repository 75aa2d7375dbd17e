import { ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import { addClaims, claimValue } from './claim-value.ts';
import { type Facts, factsOf } from './facts.ts';
import type { Profile } from './profile.ts';
import { ruleNamed } from './rule-named.ts';
import { sessionTags } from './session-tags.ts';
import { STANDARD_CLAIMS, TAGS_CLAIM } from './standard-claims.ts';
import { subjectOf } from './subject.ts';

/** What one token is to hold besides the build's own facts. Policy has been asked already: see `decide.ts`. */
export type Ask = {
  audience: string | string[];
  /** Now, seconds since 1970. */
  now: number;
  lifetimeSeconds: number;
  jti: string;
  /** How far `nbf` lies before `iat` where the profile does not say. */
  skewSeconds: number;
  optionalClaims?: readonly string[];
  /** Name of one of the profile's subjects. */
  subjectClaim?: string;
  /** Claims that AWS shall see as session tags. */
  awsSessionTags?: readonly string[];
  /** Longest `sub` that this audience takes, bytes. */
  maxSubjectBytes?: number;
};

/**
 * Takes a profile, an admitted build and what is asked; gives all claims of an ID token but `iss` (OIDC Core §2).
 * `exp` is never past the build's deadline. Throws a ServiceError that names the field which the build lacks.
 */
export function idTokenClaims(profile: Profile, admitted: AdmittedBuild, ask: Ask): Record<string, unknown> {
  const facts = factsOf(admitted);
  const iat = Math.floor(ask.now);
  const exp = Math.min(iat + ask.lifetimeSeconds, Math.floor(admitted.deadline / 1000));
  if (exp <= iat) throw new ServiceError('access_denied', 'build is past its deadline');
  const claims: Record<string, unknown> = {
    sub: subjectOf(profile, facts, ask.subjectClaim, ask.maxSubjectBytes),
    aud: audienceOf(profile, ask.audience),
    exp,
    iat,
    nbf: iat - (profile.notBeforeSeconds ?? ask.skewSeconds),
    jti: ask.jti,
  };
  for (const rule of profile.claims) addClaims(claims, rule, facts);
  for (const name of asked(profile, ask)) Object.assign(claims, optionalClaim(profile, name, facts));
  if (ask.awsSessionTags && ask.awsSessionTags.length > 0)
    claims[TAGS_CLAIM] = sessionTags(profile, ask.awsSessionTags, facts);
  return claims;
}

/** Takes a profile; gives the name of every claim that its tokens can hold. One that ends in `*` stands for many. */
export function claimNames(profile: Profile): ReadonlySet<string> {
  return new Set([
    ...STANDARD_CLAIMS,
    ...[...profile.claims, ...profile.optionalClaims].map(({ name }) => name),
    'status',
    ...(profile.sessionTags ? [TAGS_CLAIM] : []),
  ]);
}

/** Takes the names of a profile's claims and one name; says whether it is among them, by itself or by a `*`. */
export function isClaimName(names: ReadonlySet<string>, name: string): boolean {
  if (names.has(name)) return !name.endsWith('*');
  return [...names].some(
    (one) => one.endsWith('*') && name.startsWith(one.slice(0, -1)) && name.length >= one.length,
  );
}

function audienceOf({ audience }: Profile, asked: string | string[]): string | string[] {
  const all = typeof asked === 'string' ? [asked] : [...asked];
  if (all.length === 0) throw new ServiceError('invalid_target', 'audience is missing');
  if (all.length > 1 && !audience.several)
    throw new ServiceError('invalid_target', 'a token of this source has one audience');
  if (audience.form === 'asked') return asked;
  return audience.form === 'array' || all.length > 1 ? all : (all[0] as string);
}

/** An alternate subject that is named for an optional claim brings that claim. */
function asked(profile: Profile, { optionalClaims = [], subjectClaim }: Ask): Set<string> {
  const brings =
    subjectClaim !== undefined && profile.optionalClaims.some(({ name }) => name === subjectClaim);
  return new Set([...optionalClaims, ...(brings ? [subjectClaim] : [])]);
}

function optionalClaim(profile: Profile, name: string, facts: Facts): Record<string, unknown> {
  const rule = ruleNamed(profile.optionalClaims, name);
  if (!rule)
    throw new ServiceError('invalid_request', `${name.slice(0, 128)} is no optional claim of this source`);
  const value = claimValue(rule, facts);
  return value === undefined ? {} : { [name]: value };
}
