import { durationSeconds } from '@mayfly/contracts/duration';
import type { BuildStarted } from '@mayfly/contracts/events';
import { POLICY_DEFAULTS, type SourcePolicy } from '@mayfly/contracts/policy';
import { entryFor } from '@mayfly/profiles/algorithm';
import { matches } from '@mayfly/profiles/audience';
import { isFork } from '@mayfly/profiles/fork';
import type { Deployment } from './deployment.ts';
import type { Wish } from './token-of.ts';

/** One thing that policy says of a build: what, by which line of `mayfly.yaml` (none: by default), and what follows. */
export type PolicyLine = {
  rule: string;
  says: string;
  line: number | undefined;
  verdict: 'allows' | 'refuses' | 'sets';
};

/** Takes a deployment, an event and a wish for some audiences; gives what policy says of it, in the order in which the issuer asks. */
export function explainPolicy(deployment: Deployment, event: BuildStarted, wish: Wish): PolicyLine[] {
  const { policy } = deployment;
  const audiences = [wish.audience ?? []].flat();
  const line = lineIn(deployment);
  const set = (rule: keyof SourcePolicy, fallback: string): PolicyLine => ({
    rule,
    says: String(policy[rule] ?? fallback),
    line: line(rule),
    verdict: 'sets',
  });
  return [
    set('profile', POLICY_DEFAULTS.profile),
    forks(deployment, event),
    set('build_timeout', POLICY_DEFAULTS.build_timeout),
    ...lifetimes(deployment, wish),
    set('max_tokens', String(POLICY_DEFAULTS.max_tokens)),
    ...(policy.subject === undefined && wish.subjectClaim === undefined
      ? []
      : [set('subject', 'as the profile says')]),
    ...asked(deployment, 'subject_claims', [wish.subjectClaim ?? []].flat()),
    ...asked(deployment, 'optional_claims', wish.optionalClaims ?? []),
    ...asked(deployment, 'session_tags', wish.awsSessionTags ?? []),
    ...byAudience(deployment, 'algorithms', audiences),
    ...byAudience(deployment, 'subject_limits', audiences),
  ];
}

/** Takes a deployment; gives, for a place in its source, the line of `mayfly.yaml`, undefined where it says nothing. */
export function lineIn({ from, source, policy }: Deployment): (...at: string[]) => number | undefined {
  return (...at) => {
    let value: unknown = policy;
    for (const name of at) value = (value as Record<string, unknown> | undefined)?.[name];
    return value === undefined ? undefined : from.lineOf(['sources', source, ...at]);
  };
}

function forks(deployment: Deployment, { data }: BuildStarted): PolicyLine {
  const says = deployment.policy.forks ?? POLICY_DEFAULTS.forks;
  const fork = isFork(data.build);
  return {
    rule: 'forks',
    says: fork ? `${says}; this build is of a fork` : `${says}; this build is of no fork`,
    line: lineIn(deployment)('forks'),
    verdict: fork && says === 'deny' ? 'refuses' : 'allows',
  };
}

function lifetimes(deployment: Deployment, { lifetimeSeconds }: Wish): PolicyLine[] {
  const { lifetime = POLICY_DEFAULTS.lifetime, max_lifetime: longest = lifetime } = deployment.policy;
  const line = lineIn(deployment);
  const isTooLong = lifetimeSeconds !== undefined && lifetimeSeconds > durationSeconds(longest);
  return [
    { rule: 'lifetime', says: lifetime, line: line('lifetime'), verdict: 'sets' },
    {
      rule: 'max_lifetime',
      says: lifetimeSeconds === undefined ? longest : `${longest}; asked for ${lifetimeSeconds}s`,
      line: line('max_lifetime') ?? line('lifetime'),
      verdict: isTooLong ? 'refuses' : 'allows',
    },
  ];
}

function asked(
  deployment: Deployment,
  rule: 'subject_claims' | 'optional_claims' | 'session_tags',
  names: readonly string[],
): PolicyLine[] {
  const { profile, policy } = deployment;
  const offered = {
    subject_claims: profile.subject.requestable,
    optional_claims: profile.optionalClaims.map(({ name }) => name),
    session_tags: profile.sessionTags
      ? [...profile.claims, ...profile.optionalClaims].map(({ name }) => name)
      : [],
  }[rule];
  const allowed = (profile.sessionTags || rule !== 'session_tags' ? policy[rule] : undefined) ?? offered;
  return names.map((name) => {
    const index = (policy[rule] ?? []).findIndex((pattern) => matches(pattern, name));
    const line = lineIn(deployment);
    return {
      rule,
      says: `${name}; allowed: ${allowed.join(', ') || 'none'}`,
      line: index < 0 ? line(rule) : line(rule, String(index)),
      verdict: allowed.some((pattern) => matches(pattern, name)) ? 'allows' : 'refuses',
    };
  });
}

function byAudience(
  deployment: Deployment,
  rule: 'algorithms' | 'subject_limits',
  audiences: readonly string[],
): PolicyLine[] {
  const entries: Record<string, string | number> = deployment.policy[rule] ?? {};
  const keys = new Set(audiences.flatMap((audience) => keyFor(deployment, rule, audience) ?? []));
  return [...keys].map((key) => ({
    rule,
    says: `${entries[key]} for ${key}`,
    line: lineIn(deployment)(rule, key),
    verdict: 'sets',
  }));
}

/** Takes a deployment, a rule that goes by audience, and one audience; gives the entry that is meant for it. */
export function keyFor(
  { policy }: Deployment,
  rule: 'algorithms' | 'subject_limits',
  audience: string,
): string | undefined {
  return entryFor(Object.fromEntries(Object.keys(policy[rule] ?? {}).map((key) => [key, key])), audience);
}
