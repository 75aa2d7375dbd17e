import { expect, test } from 'vitest';
import { evaluateCel } from './cel-evaluate.ts';
import { parseCel } from './cel-parse.ts';

const NAMES = {
  assertion: { sub: 'repo:7:ref:refs/heads/main', n: 7, ok: true, list: ['a', 'b'], map: { 'a-b': 1 } },
};
const run = (text: string) => {
  const result = evaluateCel(parseCel(text), NAMES);
  return 'value' in result ? result.value : 'error';
};

test.each<[string, unknown]>([
  ['assertion.sub == "repo:7:ref:refs/heads/main"', true],
  ["assertion.sub == 'REPO:7:ref:refs/heads/main'", false],
  ['assertion.n == 7 && assertion.ok', true],
  ['assertion.n == "7"', false],
  ['assertion.absent == "x"', 'error'],
  ['assertion.absent == "x" && false', false],
  ['assertion.absent == "x" || true', true],
  ['assertion.absent == "x" || false', 'error'],
  ['has(assertion.absent) && assertion.absent == "x"', false],
  ['!has(assertion.absent)', true],
  ["assertion.map['a-b'] == 1", true],
  ["assertion.list[1] == 'b'", true],
  ["'a' in assertion.list", true],
  ["'x' in ['a', 'b']", false],
  ["'sub' in assertion", true],
  ["assertion.sub.startsWith('repo:7:') && assertion.sub.endsWith('main')", true],
  ["assertion.sub.matches('^repo:[0-9]+:')", true],
  ["assertion.sub.contains('tags')", false],
  ["assertion.n > 6 ? 'yes' : 'no'", 'yes'],
  ['assertion.sub > 1', 'error'],
  ['!assertion.sub', 'error'],
  ["'a\\'b\\\\' == \"a'b\\\\\"", true],
  ['true || false && false', true],
  ['(true || false) && false', false],
])('%s is %s', (text, value) => {
  expect(run(text)).toBe(value);
});

test.each(['', 'a ==', 'a b', "'open", 'f(', 'a & b', '(a'])('%j is no expression', (text) => {
  expect(() => parseCel(text)).toThrow(TypeError);
});
