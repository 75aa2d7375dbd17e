import { expect, test } from 'vitest';
import { ownProfiles, parsePolicy } from './policy.ts';

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

test.for<[string, string, string]>([
  ['an alias of nothing', 'sources:\n  acme: *nope\n', '2: *nope has no anchor before it'],
  [
    'an alias of what it stands in',
    'sources:\n  acme: &acme\n    audiences: [*acme]\n',
    '3: *acme stands within itself',
  ],
  [
    'a bomb of aliases',
    `sources:\n  a: &a [0,0,0,0]\n${[...'bcdefgh'].map((name, at) => `  ${name}: &${name} [${Array(4).fill(`*${'abcdefg'[at]}`)}]\n`).join('')}`,
    '9: has too many aliases of aliases',
  ],
  [
    'a second document',
    'sources:\n  acme: { audiences: [a] }\n---\nsources: {}\n',
    '3: Source contains multiple documents; please use YAML.parseAllDocuments()',
  ],
])('%s is refused with its line and the reason', ([, text, fault]) => {
  expect(() => parsePolicy(text, 'mayfly.yaml')).toThrow(new TypeError(`mayfly.yaml:${fault}`));
});

test('an alias of what stands before it is read', () => {
  const text = 'sources:\n  acme: { audiences: &both [a, b] }\n  octo: { audiences: *both }\n';

  expect(parsePolicy(text, 'mayfly.yaml').sources['octo']?.audiences).toEqual(['a', 'b']);
});

test('the folder of profiles is found from where mayfly.yaml is', () => {
  const of = (text: string) =>
    ownProfiles('/etc/mayfly/mayfly.yaml', parsePolicy(`${text}\nsources: { a: { audiences: [a] } }\n`, 'f'));

  expect(of('profiles: ./ours')).toBe('/etc/mayfly/ours');
  expect(of('profiles: /srv/ours')).toBe('/srv/ours');
  expect(of('')).toBeUndefined();
});
