import { expect, test } from 'vitest';
import { parsePolicy } from './policy.ts';

test('a policy is read with its sources', () => {
  expect(
    parsePolicy('sources:\n  acme: { audiences: [a] }\n', 'mayfly.yaml').sources['acme']?.audiences,
  ).toEqual(['a']);
});

test('every fault of mayfly.yaml is named with its line', () => {
  const text =
    'base_url: ftp://x\nsources:\n  acme:\n    audiences: []\n    lifetim: 5m\n  Bad: { audiences: [a] }\n';

  expect(() => parsePolicy(text, 'mayfly.yaml')).toThrow(/mayfly\.yaml:1: base_url/);
  expect(() => parsePolicy(text, 'mayfly.yaml')).toThrow(/mayfly\.yaml:4: sources\.acme\.audiences/);
  expect(() => parsePolicy(text, 'mayfly.yaml')).toThrow(/lifetim/);
  expect(() => parsePolicy(text, 'mayfly.yaml')).toThrow(/Bad/);
});

test.for(['sources: [', 'sources: {a: 1, a: 2}', '', 'x', '- 1'])('%s is no policy', (text) => {
  expect(() => parsePolicy(text, 'mayfly.yaml')).toThrow(/mayfly\.yaml:\d+: /);
});
