import { durationSeconds } from './duration.ts';
import { KEYS_DEFAULTS, POLICY_DEFAULTS, type Policy } from './policy.ts';

const HOUR_MS = 3_600_000;

/** How far an event's own time may be from the time at which JetStream stored it, ms, before it or after it. */
export const MAX_EVENT_SKEW_MS = HOUR_MS;

/**
 * Takes the policy; gives how long BUILDS keeps an event, and Redis a finished build, ms: the longest deadline of any source
 * and for how long after its first storing an event may be sent again. That of a CI whose clock is as far ahead as may be is
 * taken until twice the skew later: nothing must return after its end has been forgotten.
 */
export function buildsRetentionMs(policy: Policy): number {
  const timeouts = Object.values(policy.sources).map(({ build_timeout }) =>
    durationSeconds(build_timeout ?? POLICY_DEFAULTS.build_timeout),
  );
  return Math.max(...timeouts) * 1000 + 2 * MAX_EVENT_SKEW_MS;
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
