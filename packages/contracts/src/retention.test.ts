import { expect, test } from 'vitest';
import type { Policy } from './policy.ts';
import { feedWindowMs, lifecycleRetentionMs } from './retention.ts';

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
