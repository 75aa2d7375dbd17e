import type { Policy } from '@mayfly/contracts/policy';
import { expect, test } from 'vitest';
import { rotationRules } from './rules.ts';

const policy = (keys?: Policy['keys'], ofSource?: Policy['keys'], lifetime = '5m'): Policy => ({
  ...(keys && { keys }),
  sources: {
    acme: { audiences: ['a'], lifetime, ...(ofSource && { keys: ofSource }) },
    other: { audiences: ['a'] },
  },
});

test('without a word in mayfly.yaml a key is published for 26 hours, signs for 30 days, and outlives all it signed', () => {
  const rules = rotationRules(policy(undefined, undefined, '2h')).get('acme');

  expect(rules).toEqual({
    publishAheadMs: 26 * 3_600_000,
    rotateEveryMs: 30 * 86_400_000,
    leewayMs: 600_000,
    longestSeconds: 7200,
  });
});

test('a source has intervals of its own, and the rest from the whole', () => {
  const rules = rotationRules(policy({ publish_ahead: '15m', leeway: '5m' }, { rotate_every: '2h' }));

  expect(rules.get('acme')).toMatchObject({
    publishAheadMs: 900_000,
    rotateEveryMs: 7_200_000,
    leewayMs: 300_000,
  });
  expect(rules.get('other')).toMatchObject({ publishAheadMs: 900_000, rotateEveryMs: 30 * 86_400_000 });
});

test('intervals that cannot hold together are refused, every fault named at once', () => {
  const broken = policy(
    { publish_ahead: '3d', rotate_every: '2d' },
    { publish_ahead: '2m', rotate_every: '1h', leeway: '1s' },
  );

  expect(() => rotationRules(broken)).toThrow(
    'settings: keys of acme: publish_ahead must be at least 10m, as key sets are cached; ' +
      'keys of acme: rotate_every must be at least 3600 s and leeway, or retired keys pile up; ' +
      'keys of acme: leeway must be at least 1m, as clocks differ; ' +
      'keys of other: rotate_every must be at least publish_ahead, or no standby is ever ready',
  );
});
