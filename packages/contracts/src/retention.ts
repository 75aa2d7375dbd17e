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
