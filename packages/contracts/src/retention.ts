import { durationSeconds } from './duration.ts';
import { POLICY_DEFAULTS, type Policy } from './policy.ts';

const HOUR_MS = 3_600_000;

/** Takes the policy; gives how long BUILDS keeps an event, ms: the longest deadline of any source plus an hour. */
export function buildsRetentionMs(policy: Policy): number {
  const timeouts = Object.values(policy.sources).map(({ build_timeout }) =>
    durationSeconds(build_timeout ?? POLICY_DEFAULTS.build_timeout),
  );
  return Math.max(...timeouts) * 1000 + HOUR_MS;
}

/**
 * Takes the policy; gives how long LIFECYCLE keeps an announcement, ms: an hour, or as long as any token can live and ten
 * minutes more, so that the feed can tell every end that still matters.
 */
export function lifecycleRetentionMs(policy: Policy): number {
  const lifetimes = Object.values(policy.sources).map(({ lifetime, max_lifetime }) =>
    durationSeconds(max_lifetime ?? lifetime ?? POLICY_DEFAULTS.lifetime),
  );
  return Math.max(HOUR_MS, Math.max(...lifetimes) * 1000 + 600_000);
}
