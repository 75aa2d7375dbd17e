import type { Fault } from '@mayfly/contracts/check';
import { durationSeconds } from '@mayfly/contracts/duration';
import {
  LONGEST_LIFETIME_SECONDS,
  POLICY_DEFAULTS,
  type Policy,
  type SourcePolicy,
} from '@mayfly/contracts/policy';
import { matches } from './audience.ts';
import { lifetimesOf, SHORTEST_LIFETIME_SECONDS } from './lifetime.ts';
import type { Profile } from './profile.ts';
import { ruleNamed } from './rule-named.ts';
import { pathsOf, renderTemplate } from './template.ts';

const LONGEST_BUILD_SECONDS = 30 * 86_400;

/**
 * Takes the policy and the profiles that it names, read; gives everything in it that cannot work, each with its place
 * as a JSON pointer. None: the policy can be served. Profiles that are `faulty` are there, and their faults told elsewhere.
 */
export function policyFaults(
  policy: Policy,
  profiles: ReadonlyMap<string, Profile>,
  faulty: ReadonlySet<string> = new Set(),
): Fault[] {
  return Object.entries(policy.sources).flatMap(([name, source]) => {
    const profileName = source.profile ?? POLICY_DEFAULTS.profile;
    const profile = profiles.get(profileName);
    const missing = faulty.has(profileName)
      ? []
      : [{ at: '/profile', message: 'names no profile that is there' }];
    const faults = [
      ...lifetimeFaults(source),
      ...audienceFaults(source),
      ...(profile ? profileFaults(source, profile) : missing),
    ];
    return faults.map(({ at, message }) => ({ at: `/sources/${name}${at}`, message }));
  });
}

function lifetimeFaults(source: SourcePolicy): Fault[] {
  const { usual, longest } = lifetimesOf(source);
  const faults: Fault[] = [];
  if (usual < SHORTEST_LIFETIME_SECONDS)
    faults.push({ at: '/lifetime', message: `must be at least ${SHORTEST_LIFETIME_SECONDS}s` });
  if (usual > longest) faults.push({ at: '/lifetime', message: 'must not be longer than max_lifetime' });
  if (longest > LONGEST_LIFETIME_SECONDS)
    faults.push({
      at: source.max_lifetime === undefined ? '/lifetime' : '/max_lifetime',
      message: `must be at most ${LONGEST_LIFETIME_SECONDS}s`,
    });
  if (durationSeconds(source.build_timeout ?? POLICY_DEFAULTS.build_timeout) > LONGEST_BUILD_SECONDS)
    faults.push({ at: '/build_timeout', message: 'must be at most 30d' });
  return faults;
}

function audienceFaults(source: SourcePolicy): Fault[] {
  const allowed = allowedPatterns(source);
  const unused = (section: 'algorithms' | 'subject_limits') =>
    Object.keys(source[section] ?? {})
      .filter((pattern) => !allowed.some((other) => overlap(pattern, other)))
      .map((pattern) => ({
        at: `/${section}/${pointer(pattern)}`,
        message: 'is for no audience that is allowed',
      }));
  return [...unused('algorithms'), ...unused('subject_limits')];
}

function allowedPatterns({ audiences, repository_audiences = {} }: SourcePolicy): string[] {
  return [audiences, ...Object.values(repository_audiences)].flat();
}

function overlap(one: string, other: string): boolean {
  const bare = (pattern: string) => pattern.replace(/\*$/, '');
  return matches(one, bare(other)) || matches(other, bare(one));
}

function profileFaults(source: SourcePolicy, profile: Profile): Fault[] {
  const { subject, claims, optionalClaims, sessionTags, forkClaim } = profile;
  const faults: Fault[] = [];
  if (source.forks === 'allow' && forkClaim === undefined)
    faults.push({
      at: '/forks',
      message: `cannot be allow: no claim of profile ${profile.name} tells a fork`,
    });
  if (!allowsDefault(source, profile))
    faults.push({
      at: '/audiences',
      message: `do not allow the default audience of profile ${profile.name}`,
    });
  const alternates = [...subject.alternates.keys()];
  if (source.subject !== undefined && !alternates.includes(source.subject))
    faults.push({ at: '/subject', message: `must be one of ${alternates.join(', ')}` });
  if (source.session_tags && !sessionTags)
    faults.push({ at: '/session_tags', message: `profile ${profile.name} has none` });
  const isClaim = (rules: Profile['claims']) => (name: string) =>
    ruleNamed(rules, name) !== undefined || rules.some((rule) => rule.name === name);
  return [
    ...faults,
    ...unknown(source, 'subject_claims', (name) => subject.requestable.includes(name)),
    ...unknown(source, 'optional_claims', isClaim(optionalClaims)),
    ...unknown(source, 'session_tags', isClaim([...claims, ...optionalClaims])),
  ];
}

/** A default audience that is made of facts may be allowed for some builds; one that is text is allowed or useless. */
function allowsDefault(source: SourcePolicy, { audience: { default: template } }: Profile): boolean {
  if (!template || pathsOf(template).length > 0) return true;
  const fallback = renderTemplate(template, () => undefined) ?? '';
  return allowedPatterns(source).some((pattern) => matches(pattern, fallback));
}

function unknown(
  source: SourcePolicy,
  section: 'subject_claims' | 'optional_claims' | 'session_tags',
  isKnown: (name: string) => boolean,
): Fault[] {
  return (source[section] ?? []).flatMap((name, index) =>
    isKnown(name) ? [] : [{ at: `/${section}/${index}`, message: 'is not offered by the profile' }],
  );
}

function pointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}
