import { readFileSync } from 'node:fs';
import { checkPolicy, type Policy, type SourcePolicy } from '@mayfly/contracts/policy';
import { expect, test } from 'vitest';
import { compileProfile } from './compile.ts';
import { policyFaults } from './policy-faults.ts';
import { PROFILES_DIR, readProfile } from './read.ts';

const names = ['mayfly', 'vela', 'concourse', 'gitlab', 'github', 'buildkite', 'n8n'];
const profiles = new Map(
  await Promise.all(names.map(async (name) => [name, await readProfile(PROFILES_DIR, name)] as const)),
);

const faults = (source: Partial<SourcePolicy>): string[] => {
  const policy: Policy = {
    sources: { ci: { audiences: ['https://a.example', 'https://b.example/*'], ...source } },
  };
  expect(checkPolicy.faults(policy)).toEqual([]);
  return policyFaults(policy, profiles).map(({ at, message }) => `${at} ${message}`);
};

test.each(names)('a source needs no more than its audiences, with profile %s', (profile) => {
  expect(faults({ profile })).toEqual([]);
});

test('a policy that says everything can be served', () => {
  expect(
    faults({
      ...{
        profile: 'buildkite',
        lifetime: '5m',
        max_lifetime: '2h',
        max_tokens: 5,
        build_timeout: '30d',
        forks: 'deny',
      },
      ...{
        subject: 'pipeline_id',
        subject_claims: ['job_id'],
        optional_claims: ['agent_tag:queue', 'agent_tag:*'],
      },
      ...{
        session_tags: ['build_number', 'organization_id'],
        repository_audiences: { 'octo/*': ['https://c.example'] },
      },
      ...{
        subject_limits: { 'https://b.example/x': 100 },
        algorithms: { 'https://c.example': 'ES256', 'https://*': 'RS256' },
      },
    }),
  ).toEqual([]);
});

test.each<[string, Partial<SourcePolicy>, RegExp]>([
  ['a profile that there is not', { profile: 'jenkins' }, /^\/sources\/ci\/profile names no profile/],
  [
    'a lifetime over its ceiling',
    { lifetime: '10m', max_lifetime: '5m' },
    /^\/sources\/ci\/lifetime must not be longer/,
  ],
  [
    'a lifetime that is gone at once',
    { lifetime: '9s', max_lifetime: '5m' },
    /^\/sources\/ci\/lifetime must be at least 10s/,
  ],
  ['a lifetime that no key could sign', { lifetime: '3h' }, /^\/sources\/ci\/lifetime must be at most 7200s/],
  [
    'a ceiling that no key could sign',
    { max_lifetime: '3h' },
    /^\/sources\/ci\/max_lifetime must be at most 7200s/,
  ],
  ['builds without end', { build_timeout: '31d' }, /^\/sources\/ci\/build_timeout must be at most 30d/],
  [
    'an algorithm for an audience that nobody may ask for',
    { algorithms: { 'https://x/y': 'ES256' } },
    /^\/sources\/ci\/algorithms\/https:~1~1x~1y is for no audience/,
  ],
  [
    'a limit for an audience that nobody may ask for',
    { subject_limits: { 'https://x': 100 } },
    /^\/sources\/ci\/subject_limits\/https:~1~1x is for no/,
  ],
  [
    'forks, where no claim tells them',
    { profile: 'buildkite', forks: 'allow' },
    /^\/sources\/ci\/forks cannot be allow/,
  ],
  [
    'a subject that there is not',
    { subject: 'team' },
    /^\/sources\/ci\/subject must be one of default, repository, pipeline/,
  ],
  [
    'a subject to ask for that nobody may',
    { subject_claims: ['default'] },
    /^\/sources\/ci\/subject_claims\/0 is not offered/,
  ],
  [
    'an optional claim that there is not',
    { optional_claims: ['task', 'x'] },
    /^\/sources\/ci\/optional_claims\/1 is not offered/,
  ],
  [
    'a session tag that there is not',
    { session_tags: ['x'] },
    /^\/sources\/ci\/session_tags\/0 is not offered/,
  ],
  [
    'session tags, where the profile has none',
    { profile: 'github', session_tags: ['sha'] },
    /^\/sources\/ci\/session_tags profile github has none/,
  ],
])('a policy with %s is refused, with its place', (_, source, reason) => {
  expect(faults(source)[0]).toMatch(reason);
});

test.each(['', 'a*b', '**', 'a b', 'a\n', 'x'.repeat(256)])(
  '%j is no audience that a policy can name',
  (audience) => {
    expect(checkPolicy.is({ sources: { ci: { audiences: [audience] } } })).toBe(false);
  },
);

test.each([
  ['a source of another name', { sources: { 'Bad Name': { audiences: ['x'] } } }],
  [
    'a limit for what is no audience',
    { sources: { ci: { audiences: ['x'], subject_limits: { 'a b': 100 } } } },
  ],
  [
    'audiences of what is no repository',
    { sources: { ci: { audiences: ['x'], repository_audiences: { 'a b': ['y'] } } } },
  ],
  ['a key that nobody knows', { sources: { ci: { audiences: ['x'], lifetimes: '5m' } } }],
  ['a policy with a key that nobody knows', { sources: { ci: { audiences: ['x'] } }, source: {} }],
  [
    'a relying party of another name',
    { sources: { ci: { audiences: ['x'] } }, relying_parties: { 'a b': { audiences: ['x'] } } },
  ],
])('%s is refused', (_, policy) => {
  expect(checkPolicy.is(policy)).toBe(false);
});

test('a default audience that is plain text is one that policy allows', () => {
  const text = readFileSync(`${PROFILES_DIR}mayfly.yaml`, 'utf8').replace(
    'form: string',
    'form: string\n  default: https://vault.example',
  );
  const profile = new Map([['mayfly', compileProfile(text, 'mayfly.yaml')]]);
  const faultsWith = (audiences: string[]) => policyFaults({ sources: { ci: { audiences } } }, profile);

  expect(faultsWith(['https://vault.*'])).toEqual([]);
  expect(faultsWith(['https://other.example'])).toEqual([
    { at: '/sources/ci/audiences', message: 'do not allow the default audience of profile mayfly' },
  ]);
});

test('every fault of every source is named at once', () => {
  const policy: Policy = {
    sources: { a: { audiences: ['x'], lifetime: '3h', subject: 'x' }, b: { audiences: ['x'], profile: 'y' } },
  };

  expect(policyFaults(policy, profiles).map(({ at }) => at)).toEqual([
    '/sources/a/lifetime',
    '/sources/a/subject',
    '/sources/b/profile',
  ]);
});
