import { FIELDS } from '@mayfly/profiles/fields';
import type { ClaimRule, Profile } from '@mayfly/profiles/profile';
import { pathsOf } from '@mayfly/profiles/template';

/** Where the value of a claim can come from, and whether whoever can push or name something decides any of it. */
export type ClaimOrigin = { paths: readonly string[]; isUserControlled: boolean };

/** Takes a profile; gives the origin of each claim that it makes. */
export function claimOrigins({ claims, optionalClaims }: Profile): ReadonlyMap<string, ClaimOrigin> {
  return new Map([...claims, ...optionalClaims].map((rule) => [rule.name, originOf(rule)]));
}

/** Takes several profiles and the name of a claim; says whether a user decides it in any of them. */
export function isUserControlled(profiles: readonly Profile[], claim: string): boolean {
  return profiles.some((profile) => claimOrigins(profile).get(claim)?.isUserControlled ?? false);
}

/** Takes several profiles and the name of a claim; gives the facts that it is made from in any of them. */
export function pathsOfClaim(profiles: readonly Profile[], claim: string): string[] {
  return [...new Set(profiles.flatMap((profile) => claimOrigins(profile).get(claim)?.paths ?? []))];
}

/** Takes a rule; gives the paths of the facts that its claim is made from. */
export function pathsOfRule({ source }: ClaimRule): string[] {
  if (source.kind === 'facts') return [...source.paths];
  if (source.kind === 'template') return pathsOf(source.template);
  if (source.kind === 'members') return source.members.map(([, path]) => path);
  return source.kind === 'member' ? [`${source.map}.${source.member}`] : [];
}

function originOf(rule: ClaimRule): ClaimOrigin {
  const paths = pathsOfRule(rule);
  return { paths, isUserControlled: paths.some((path) => trustOf(path) === 'user-controlled') };
}

/** Takes the path of a fact, or of a member of a map; gives who decides it. */
export function trustOf(path: string): 'trusted' | 'user-controlled' {
  const field = FIELDS.get(path) ?? FIELDS.get(path.replace(/\.[^.]*$/, ''));
  return field?.trust ?? 'user-controlled';
}
