import { expect, test } from 'vitest';
import type { Policy } from './policy.ts';
import { buildsRetentionMs, feedWindowMs, lifecycleRetentionMs, MAX_EVENT_SKEW_MS } from './retention.ts';

const MINUTE_MS = 60_000;

test.each([
  ['5m', undefined, 60],
  ['1h', undefined, 80],
  ['2h', undefined, 140],
  ['2h', '30m', 160],
])(
  'with tokens of %s and a leeway of %s the stream keeps ends for %i minutes',
  (max_lifetime, leeway, minutes) => {
    const policy: Policy = {
      sources: {
        acme: { audiences: ['x'], max_lifetime, ...(leeway === undefined ? {} : { keys: { leeway } }) },
      },
    };

    expect(lifecycleRetentionMs(policy)).toBe(minutes * MINUTE_MS);
    expect(feedWindowMs(policy)).toBeLessThan(lifecycleRetentionMs(policy));
  },
);

test('an end is remembered for longer than its start can be sent again, however far ahead the clock of its CI is', () => {
  const policy: Policy = { sources: { acme: { audiences: ['x'], build_timeout: '1m' } } };
  const [startedAt, ahead] = [1_000_000, MAX_EVENT_SKEW_MS];
  const lastTaken = startedAt + ahead + MAX_EVENT_SKEW_MS;

  expect(startedAt + buildsRetentionMs(policy)).toBeGreaterThan(lastTaken);
});
