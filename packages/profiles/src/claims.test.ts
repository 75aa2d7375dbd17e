import type { Build } from '@mayfly/contracts/build';
import { ServiceError } from '@mayfly/contracts/errors';
import { expect, test } from 'vitest';
import { type Ask, claimNames, idTokenClaims, isClaimName } from './claims.ts';
import { PROFILES_DIR, readProfile } from './read.ts';
import { admit } from './testing.ts';

const [mayfly, vela, gitlab, github, buildkite] = await Promise.all(
  ['mayfly', 'vela', 'gitlab', 'github', 'buildkite'].map((name) => readProfile(PROFILES_DIR, name)),
);
if (!mayfly || !vela || !gitlab || !github || !buildkite) throw new Error('profiles are missing');

const build: Build = {
  ...{ id: 'b-1', number: 7, ref: 'refs/heads/main', sha: '9fceb02', event: 'push' },
  repository: {
    ...{ id: '4', name: 'octo/hello', visibility: 'private' },
    owner: { id: '1', name: 'octo' },
    properties: { team: 'a' },
  },
  workflow: { name: 'ci', ref: 'octo/hello/.github/workflows/ci.yml@refs/heads/main', sha: '9fceb02' },
  actor: { id: '9', login: 'octocat' },
  organization: { id: '3', name: 'octo' },
  pipeline: { id: '12', name: 'release' },
  job: { id: '5' },
  agent: { id: '6', tags: { queue: 'linux' } },
  runner: { id: '15', environment: 'self-hosted' },
};
const ask: Ask = { audience: 'x', now: 1_700_000_000.9, lifetimeSeconds: 300, jti: 'j', skewSeconds: 30 };

const codeOf = (act: () => unknown) => {
  try {
    act();
    return undefined;
  } catch (error) {
    return error instanceof ServiceError ? error.code : error;
  }
};

test('times are whole seconds, never later than now, and nbf lies before', () => {
  expect(idTokenClaims(mayfly, admit(build), ask)).toMatchObject({
    iat: 1_700_000_000,
    nbf: 1_699_999_970,
    exp: 1_700_000_300,
  });
});

test('no token outlives the deadline of its build', () => {
  const claims = idTokenClaims(mayfly, admit(build, { deadline: 1_700_000_100_999 }), ask);

  expect(claims['exp']).toBe(1_700_000_100);
  expect(codeOf(() => idTokenClaims(mayfly, admit(build, { deadline: 1_700_000_000_999 }), ask))).toBe(
    'access_denied',
  );
});

test('aud has the form of the profile, and several only where it allows them', () => {
  const aud = (profile: typeof mayfly, audience: string | string[]) =>
    idTokenClaims(profile, admit(build), { ...ask, audience })['aud'];

  expect([aud(mayfly, 'x'), aud(mayfly, ['x'])]).toEqual(['x', 'x']);
  expect([aud(vela, 'x'), aud(vela, ['x'])]).toEqual([['x'], ['x']]);
  expect([aud(gitlab, 'x'), aud(gitlab, ['x'])]).toEqual(['x', ['x']]);
  expect(aud(vela, ['x', 'y'])).toEqual(['x', 'y']);
  expect(codeOf(() => aud(mayfly, ['x', 'y']))).toBe('invalid_target');
  expect(codeOf(() => aud(vela, []))).toBe('invalid_target');
});

test('a fact that the profile needs and the build lacks is named', () => {
  const { actor: _, ...without } = build;

  expect(() => idTokenClaims(vela, admit(without), ask)).toThrow('build lacks actor.login');
  expect(codeOf(() => idTokenClaims(vela, admit(without), ask))).toBe('invalid_request');
  expect(() => idTokenClaims(vela, admit({ ...build, actor: { login: '' } }), ask)).toThrow(
    'build lacks actor.login',
  );
});

test('a number is a number only where the system has one, and then whole', () => {
  expect(idTokenClaims(gitlab, admit(build), ask)['runner_id']).toBe(15);
  expect(idTokenClaims(mayfly, admit(build), ask)['build_number']).toBe('7');
  expect(() => idTokenClaims(gitlab, admit({ ...build, runner: { id: 'r-15' } }), ask)).toThrow(
    /whole number as runner.id/,
  );
});

test('an optional claim is there only when asked for, and one that is none is refused', () => {
  const optional = (...optionalClaims: string[]) =>
    idTokenClaims(buildkite, admit(build), { ...ask, optionalClaims });

  expect(optional()).not.toHaveProperty('organization_id');
  expect(optional('organization_id', 'agent_tag:queue')).toMatchObject({
    organization_id: '3',
    'agent_tag:queue': 'linux',
  });
  expect(optional('agent_tag:none')).not.toHaveProperty('agent_tag:none');
  expect(optional('agent_tag:__proto__')).not.toHaveProperty('agent_tag:__proto__');
  for (const name of ['iss', 'agent_tag:*', 'agent_tag:', 'job_id', '__proto__'])
    expect(codeOf(() => optional(name))).toBe('invalid_request');
});

test('another subject is one that the profile has', () => {
  const subject = (subjectClaim: string) => idTokenClaims(buildkite, admit(build), { ...ask, subjectClaim });

  expect(subject('pipeline_id')).toMatchObject({ sub: '12', pipeline_id: '12' });
  expect(codeOf(() => subject('pipeline_slug'))).toBe('invalid_request');
  expect(() => subject('cluster_id')).toThrow('build lacks cluster.id');
});

test('AWS sees session tags as text, fifty at most, and none that is no claim', () => {
  const tags = (...awsSessionTags: string[]) =>
    idTokenClaims(buildkite, admit(build), { ...ask, awsSessionTags });
  const many = Array.from({ length: 51 }, (_, at) => `agent_tag:t${at}`);

  expect(tags('build_number', 'step_key')['https://aws.amazon.com/tags']).toEqual({
    principal_tags: { build_number: ['7'], step_key: [''] },
  });
  expect(tags()).not.toHaveProperty('https://aws.amazon.com/tags');
  expect(codeOf(() => tags('sub'))).toBe('invalid_request');
  expect(codeOf(() => tags(...many))).toBe('invalid_request');
  expect(codeOf(() => tags(...many.slice(1)))).toBeUndefined();
  const signs = (tags: Record<string, string>, name: string) => () =>
    idTokenClaims(buildkite, admit({ ...build, agent: { id: '6', tags } }), {
      ...ask,
      awsSessionTags: [`agent_tag:${name}`],
    });
  expect(signs({ q: 'refs/heads/Ünïcode ٣_.:/=+-@' }, 'q')).not.toThrow();
  for (const value of ['fix#1', '(a)', 'a,b', 'a\tb', 'a*', '%'])
    expect(signs({ q: value }, 'q')).toThrow(/^agent_tag:q cannot be a tag for AWS: its value/);
  for (const name of ['a,b', 'aws:x']) {
    const claims = buildkite.claims.map((rule) => (rule.name === 'job_id' ? { ...rule, name } : rule));
    expect(() =>
      idTokenClaims({ ...buildkite, claims }, admit(build), { ...ask, awsSessionTags: [name] }),
    ).toThrow(`${name} cannot be a tag for AWS: its key`);
  }
  expect(codeOf(signs({ q: '#' }, 'q'))).toBe('invalid_request');
  const long = admit({ ...build, agent: { id: '6', tags: { queue: 'q'.repeat(257) } } });
  expect(codeOf(() => idTokenClaims(buildkite, long, { ...ask, awsSessionTags: ['agent_tag:queue'] }))).toBe(
    'invalid_request',
  );
});

test('the names of a profile are all that its tokens can hold', () => {
  const names = claimNames(github);

  for (const name of ['iss', 'jti', 'status', 'repository', 'repo_property_team'])
    expect(isClaimName(names, name)).toBe(true);
  for (const name of ['repo_property_', 'repo_property_*', 'azp', 'https://aws.amazon.com/tags'])
    expect(isClaimName(names, name)).toBe(false);
  expect(isClaimName(claimNames(buildkite), 'https://aws.amazon.com/tags')).toBe(true);
  expect(idTokenClaims(github, admit(build), ask)['repo_property_team']).toBe('a');
});
