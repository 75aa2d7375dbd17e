import { expect, test } from 'vitest';
import { longestLife } from './vault-lifetime.ts';

test.each<[Record<string, unknown>, number]>([
  [{}, 0],
  [{ token_explicit_max_ttl: 0, token_max_ttl: 60 }, 60],
  [{ token_explicit_max_ttl: 600, token_max_ttl: 60 }, 60],
  [{ token_explicit_max_ttl: 60, token_max_ttl: 0 }, 60],
  [{ token_max_ttl: 0, max_ttl: 90 }, 90],
  [{ token_ttl: 60 }, 0],
  [{ token_ttl: 60, token_type: 'batch' }, 60],
  [{ token_period: 60 }, 0],
  [{ token_period: '1m', token_max_ttl: 300 }, 0],
  [{ token_period: 60, token_explicit_max_ttl: 300 }, 300],
  [{ token_period: 0, token_max_ttl: 300 }, 300],
])('the longest life of a Vault token by %j is %d s', (role, expected) => {
  expect(longestLife(role)).toBe(expected);
});

test.each<[unknown, number]>([
  ['300', 300],
  ['0h5m0s', 300],
  ['5m', 300],
  ['1.5h', 5400],
  ['1h30m', 5400],
  ['7d', 604_800],
  ['500ms', 0.5],
  ['5 minutes', 0],
  ['h', 0],
  ['-5m', 0],
  ['', 0],
  [null, 0],
])('the duration %j is %d s', (text, expected) => {
  expect(longestLife({ token_max_ttl: text })).toBe(expected);
});
