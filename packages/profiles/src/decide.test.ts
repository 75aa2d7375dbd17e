import type { Build } from '@mayfly/contracts/build';
import { ServiceError } from '@mayfly/contracts/errors';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { expect, test } from 'vitest';
import { decide, type TokenRequest } from './decide.ts';
import { PROFILES_DIR, readProfile } from './read.ts';
import { admit } from './testing.ts';

const [mayfly, buildkite, gitlab, github] = await Promise.all(
  ['mayfly', 'buildkite', 'gitlab', 'github'].map((name) => readProfile(PROFILES_DIR, name)),
);
if (!mayfly || !buildkite || !gitlab || !github) throw new Error('profiles are missing');

const policy: SourcePolicy = {
  audiences: [
    'https://vault.example.com',
    'https://api.example.com/*',
    'sts.amazonaws.com',
    'https://github.com/octo',
  ],
  lifetime: '5m',
  max_lifetime: '1h',
};
const build: Build = {
  ...{ id: 'b-1', number: 7, ref: 'refs/heads/main', sha: '9fceb02', event: 'push' },
  repository: { id: '4', name: 'octo/hello', visibility: 'private', owner: { id: '1', name: 'octo' } },
  workflow: { name: 'ci', ref: 'octo/hello/.github/workflows/ci.yml@refs/heads/main', sha: '9fceb02' },
  actor: { id: '9', login: 'octocat' },
  organization: { id: '3', name: 'octo' },
  pipeline: { id: '12', name: 'release' },
  job: { id: '5' },
  agent: { id: '6' },
  runner: { environment: 'self-hosted' },
  variables: { CI_SERVER_HOST: 'vault.example.com' },
};
const fork: Build = { ...build, source_repository: { id: '666', name: 'mallory/hello' } };
const base: TokenRequest = {
  now: 1_700_000_000,
  jti: 'j',
  skewSeconds: 30,
  audience: 'https://vault.example.com',
};

const asked = (request: Partial<TokenRequest>, more: Partial<SourcePolicy> = {}, profile = mayfly) =>
  decide({ ...policy, ...more }, profile, admit(build), { ...base, ...request });

const refusal = (act: () => unknown): string => {
  try {
    act();
    return 'allowed';
  } catch (error) {
    if (error instanceof ServiceError) return `${error.code}: ${error.message}`;
    throw error;
  }
};

test('what policy allows is signed as it says', () => {
  const { source, alg, claims } = asked({}, { algorithms: { 'https://vault.example.com': 'ES256' } });

  expect({ source, alg }).toEqual({ source: 'ci', alg: 'ES256' });
  expect(claims).toMatchObject({
    aud: 'https://vault.example.com',
    sub: 'repo:4:ref:refs/heads/main',
    exp: 1_700_000_300,
  });
  expect(claims).not.toHaveProperty('iss');
});

test('an audience that policy does not allow is refused, and those that it allows are named', () => {
  expect(refusal(() => asked({ audience: 'https://evil.example.com' }))).toBe(
    'invalid_target: audience is not allowed; allowed: https://vault.example.com, https://api.example.com/*, sts.amazonaws.com, https://github.com/octo',
  );
  expect(refusal(() => asked({ audience: 'https://api.example.com/v1' }))).toBe('allowed');
  expect(refusal(() => asked({ audience: 'https://api.example.com.evil.example' }))).toMatch(
    /^invalid_target/,
  );
  expect(refusal(() => asked({ audience: '' }))).toMatch(
    /^invalid_target: audience is missing; allowed: https/,
  );
});

test('an audience is checked as it reads when its variables are replaced', () => {
  expect(asked({ audience: 'https://$CI_SERVER_HOST' }).claims['aud']).toBe('https://vault.example.com');
  expect(refusal(() => asked({ audience: 'https://$CI_JOB' }))).toBe(
    'invalid_target: audience names CI_JOB, which the build lacks',
  );
});

test('the default audience is the one of the profile, and policy must allow it too', () => {
  const { audience: _, ...silent } = base;

  expect(decide(policy, github, admit(build), silent).claims['aud']).toBe('https://github.com/octo');
  expect(refusal(() => decide(policy, buildkite, admit(build), silent))).toMatch(
    /^invalid_target: audience is not allowed/,
  );
  expect(refusal(() => decide(policy, mayfly, admit(build), silent))).toMatch(
    /^invalid_target: audience is missing/,
  );
});

test('a default audience that a fact makes into none is refused, whatever policy allows', () => {
  const { audience: _, ...silent } = base;
  const spaced = admit({ ...build, organization: { id: '3', name: 'Octo Inc' } });

  expect(refusal(() => decide({ ...policy, audiences: ['https://*'] }, buildkite, spaced, silent))).toBe(
    'invalid_target: audience must be 1 to 255 characters without spaces',
  );
});

test('several audiences in one token are refused unless the profile allows them', () => {
  const two = ['https://vault.example.com', 'sts.amazonaws.com'];

  expect(refusal(() => asked({ audience: two }))).toBe(
    'invalid_target: a token of this source has one audience',
  );
  expect(asked({ audience: [two[0] as string] }).claims['aud']).toBe(two[0]);
  expect(asked({ audience: [two[0] as string, two[0] as string] }).claims['aud']).toBe(two[0]);
  expect(asked({ audience: two }, {}, gitlab).claims['aud']).toEqual(two);
  expect(refusal(() => asked({ audience: [...two, 'x'] }, {}, gitlab))).toMatch(/not allowed/);
});

test('audiences whose tokens have unlike algorithms are not put into one token', () => {
  const algorithms = { 'sts.amazonaws.com': 'ES256' } as const;
  const audience = ['https://vault.example.com', 'sts.amazonaws.com'];

  expect(refusal(() => asked({ audience }, { algorithms }, gitlab))).toMatch(
    /^invalid_target: .*unlike algorithms/,
  );
});

test('a repository has audiences that others have not, by name, beginning or id', () => {
  const only = (pattern: string) => ({ repository_audiences: { [pattern]: ['https://prod.example.com'] } });
  const audience = 'https://prod.example.com';

  for (const pattern of ['octo/hello', 'octo/*', 'id:4'])
    expect(refusal(() => asked({ audience }, only(pattern)))).toBe('allowed');
  for (const pattern of ['octo/hell', 'octo/hello2', 'id:44', 'oct', 'id:*'])
    expect(refusal(() => asked({ audience }, only(pattern)))).toMatch(/^invalid_target/);
});

test('a fork gets nothing by default, and when it may have tokens they say so, for no audience of one repository', () => {
  const forked = (more: Partial<SourcePolicy>, audience = 'https://vault.example.com') =>
    decide({ ...policy, ...more }, mayfly, admit(fork), { ...base, audience });

  expect(refusal(() => forked({}))).toBe('access_denied: builds of forks get no tokens from this source');
  expect(forked({ forks: 'allow' }).claims).toMatchObject({
    fork: 'true',
    sub: 'repo:4:fork:666:ref:refs/heads/main',
  });
  const repository_audiences = { 'octo/hello': ['https://prod.example.com'] };
  expect(refusal(() => forked({ forks: 'allow', repository_audiences }, 'https://prod.example.com'))).toMatch(
    /^invalid_target/,
  );
  expect(refusal(() => decide({ ...policy, forks: 'allow' }, buildkite, admit(fork), base))).toMatch(
    /^invalid_request: .*fork/,
  );
});

test('a lifetime is from ten seconds to the ceiling, and the refusal says so', () => {
  expect(asked({ lifetimeSeconds: 3600 }).claims['exp']).toBe(1_700_003_600);
  for (const lifetimeSeconds of [3601, 9, 0, -1, 10.5, Number.NaN])
    expect(refusal(() => asked({ lifetimeSeconds }))).toBe(
      'invalid_request: lifetime must be a whole number of seconds from 10 to 3600',
    );
});

test('a build has as many tokens as policy says, and no more', () => {
  expect(refusal(() => asked({ issued: 2 }, { max_tokens: 3 }))).toBe('allowed');
  expect(refusal(() => asked({ issued: 3 }, { max_tokens: 3 }))).toBe(
    'access_denied: a build of this source may have 3 tokens',
  );
  expect(refusal(() => asked({ issued: 1000 }))).toMatch(/^access_denied/);
});

test('optional claims, subjects and session tags are those that the profile offers and policy allows', () => {
  const optional = { optionalClaims: ['organization_id'] };
  expect(asked(optional, {}, buildkite).claims['organization_id']).toBe('3');
  expect(refusal(() => asked(optional, { optional_claims: ['pipeline_id'] }, buildkite))).toBe(
    'invalid_request: optional claim is not allowed; allowed: pipeline_id',
  );
  expect(refusal(() => asked({ subjectClaim: 'repository' }))).toBe('allowed');
  expect(refusal(() => asked({ subjectClaim: 'repository' }, { subject_claims: [] }))).toBe(
    'invalid_request: subject_claim is not allowed; allowed: none',
  );
  expect(refusal(() => asked({ subjectClaim: 'default' }))).toMatch(/allowed: repository, pipeline$/);
  expect(refusal(() => asked({ awsSessionTags: ['organization_slug'] }, {}, buildkite))).toBe('allowed');
  expect(refusal(() => asked({ awsSessionTags: ['sub'] }, {}, buildkite))).toMatch(
    /^invalid_request: session tag is not allowed/,
  );
  expect(
    refusal(() => asked({ awsSessionTags: ['job_id'] }, { session_tags: ['build_number'] }, buildkite)),
  ).toMatch(/allowed: build_number$/);
});

test('policy chooses which subject the tokens of a source have, also one that nobody may ask for', () => {
  expect(asked({}, {}, github).claims['sub']).toBe('repo:octo@1/hello@4:ref:refs/heads/main');
  expect(asked({}, { subject: 'names' }, github).claims['sub']).toBe('repo:octo/hello:ref:refs/heads/main');
  expect(refusal(() => asked({ subjectClaim: 'names' }, {}, github))).toMatch(/^invalid_request/);
});

test('a subject that one audience cannot take is refused for that audience only', () => {
  const long: Build = { ...build, ref: `refs/heads/${'x'.repeat(130)}` };
  const google = 'https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x';
  const more = {
    ...policy,
    audiences: [...policy.audiences, google],
    subject_limits: { 'sts.amazonaws.com': 64 },
  };
  const on = (audience: string) => decide(more, github, admit(long), { ...base, audience });

  expect(refusal(() => on('https://vault.example.com'))).toBe('allowed');
  expect(refusal(() => on(google))).toMatch(
    /^invalid_request: subject has \d+ bytes and may have 127; longest of it: ref/,
  );
  expect(refusal(() => on('sts.amazonaws.com'))).toMatch(/may have 64/);
});

test('claims that would make a token longer than relying parties take are refused by name', () => {
  const long: Build = {
    ...build,
    job: { id: '5', name: '🐝'.repeat(500) },
    base_ref: 'b'.repeat(1024),
    url: `https://${'u'.repeat(1000)}`,
    head_ref: 'h'.repeat(1024),
  };

  expect(refusal(() => decide(policy, mayfly, admit(long), base))).toMatch(
    /^invalid_request: claims have \d+ bytes and may have 5000; longest of them: job, /,
  );
});
