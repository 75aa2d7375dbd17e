import { durationSeconds } from '@mayfly/contracts/duration';
import { KEYS_DEFAULTS, type KeysPolicy, type Policy } from '@mayfly/contracts/policy';
import { LONGEST_STATUS_LIST_SECONDS } from '@mayfly/contracts/signing';
import { lifetimesOf } from '@mayfly/profiles/lifetime';

/** How the keys of one source are rotated. */
export type RotationRules = {
  publishAheadMs: number;
  rotateEveryMs: number;
  leewayMs: number;
  /** Longest that anything lives that a key of this source may sign, seconds. */
  longestSeconds: number;
};

/** The key set may be cached for 300 s, is served stale for 60 more, and has to reach every replica. */
const LEAST_PUBLISH_AHEAD_SECONDS = 600;
const MOST_SECONDS = 366 * 86_400;

/** Takes the policy; gives the rules of each source. Throws a TypeError that names every interval that cannot hold. */
export function rotationRules(policy: Policy): Map<string, RotationRules> {
  const faults: string[] = [];
  const rules = new Map<string, RotationRules>();
  for (const [source, { keys, ...rest }] of Object.entries(policy.sources)) {
    const intervals = { ...KEYS_DEFAULTS, ...policy.keys, ...keys };
    const longestSeconds = Math.max(lifetimesOf(rest).longest, LONGEST_STATUS_LIST_SECONDS);
    faults.push(...faultsOf(intervals, longestSeconds).map((fault) => `keys of ${source}: ${fault}`));
    const ms = (name: keyof KeysPolicy) => durationSeconds(intervals[name]) * 1000;
    rules.set(source, {
      publishAheadMs: ms('publish_ahead'),
      rotateEveryMs: ms('rotate_every'),
      leewayMs: ms('leeway'),
      longestSeconds,
    });
  }
  if (faults.length > 0) throw new TypeError(`settings: ${faults.join('; ')}`);
  return rules;
}

function faultsOf(intervals: Required<KeysPolicy>, longestSeconds: number): string[] {
  const publishAhead = durationSeconds(intervals.publish_ahead);
  const rotateEvery = durationSeconds(intervals.rotate_every);
  const leeway = durationSeconds(intervals.leeway);
  const faults: [boolean, string][] = [
    [
      publishAhead < LEAST_PUBLISH_AHEAD_SECONDS,
      'publish_ahead must be at least 10m, as key sets are cached',
    ],
    [rotateEvery < publishAhead, 'rotate_every must be at least publish_ahead, or no standby is ever ready'],
    [
      rotateEvery < longestSeconds + leeway,
      `rotate_every must be at least ${longestSeconds} s and leeway, or retired keys pile up`,
    ],
    [leeway < 60, 'leeway must be at least 1m, as clocks differ'],
    [leeway > 86_400, 'leeway must be at most 24h'],
    [rotateEvery > MOST_SECONDS, 'rotate_every must be at most 366d'],
  ];
  return faults.filter(([isFault]) => isFault).map(([, message]) => message);
}
