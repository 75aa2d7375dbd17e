import { durationSeconds } from './duration.ts';
import { KEYS_DEFAULTS, POLICY_DEFAULTS, type Policy } from './policy.ts';

const HOUR_MS = 3_600_000;

/** Takes the policy; gives how long BUILDS keeps an event, ms: the longest deadline of any source plus an hour. */
export function buildsRetentionMs(policy: Policy): number {
  const timeouts = Object.values(policy.sources).map(({ build_timeout }) =>
    durationSeconds(build_timeout ?? POLICY_DEFAULTS.build_timeout),
  );
  return Math.max(...timeouts) * 1000 + HOUR_MS;
}

/** Takes the policy; gives for how long an end matters, ms: the longest lifetime of any token and the leeway that relying parties grant. */
export function feedWindowMs({ sources, keys }: Policy): number {
  const lifetimes = Object.values(sources).flatMap(({ lifetime, max_lifetime }) =>
    [lifetime ?? POLICY_DEFAULTS.lifetime, max_lifetime ?? '1s'].map(durationSeconds),
  );
  const leeways = [keys?.leeway, ...Object.values(sources).map((source) => source.keys?.leeway)];
  const leeway = leeways.map((one) => durationSeconds(one ?? KEYS_DEFAULTS.leeway));
  return (Math.max(...lifetimes) + Math.max(...leeway)) * 1000;
}

/**
 * Takes the policy; gives how long LIFECYCLE keeps an announcement, ms: an hour, or as long as an end matters and ten minutes
 * more, so that the feed can tell every end that still does.
 */
export function lifecycleRetentionMs(policy: Policy): number {
  return Math.max(HOUR_MS, feedWindowMs(policy) + 600_000);
}
