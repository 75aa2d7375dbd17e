import { factsOf } from '@mayfly/profiles/facts';
import { expect, test } from 'vitest';
import { explain } from './explain.ts';
import { readEvent } from './read-event.ts';
import { readPolicyFile } from './read-policy.ts';
import { subjectParts } from './subject-parts.ts';
import { BUILD, deployment, GOLDEN_BUILDS, NOW, started } from './testing.ts';
import { admittedBuild, tokenOf } from './token-of.ts';

const LINES = [
  'audiences: [https://vault.example.com, "https://api.example.com/*"]', // line 5
  'repository_audiences:',
  '  octo/*:',
  '    - sts.amazonaws.com', // line 8
  'lifetime: 10m',
  'max_lifetime: 20m', // line 10
  'forks: deny',
  'subject_claims: [repository]',
  'algorithms: { "https://api.example.com/*": ES256 }', // line 13
];

const explained = async (wish: object, build = BUILD, lines = LINES) =>
  explain(await deployment('mayfly', lines), started(build), wish, NOW);

test('every claim is told with the field that it came from, and who decides it', async () => {
  const { token } = await explained({ audience: 'https://vault.example.com' });

  const of = (name: string) => token?.claims.find(({ claim }) => claim === name);
  expect(of('repository_id')).toEqual({
    claim: 'repository_id',
    value: '456789',
    from: 'repository.id',
    fields: ['repository.id'],
    trust: 'trusted',
  });
  expect(of('ref')).toMatchObject({ value: 'refs/heads/main', from: 'ref', trust: 'user-controlled' });
  expect(of('repository_owner')).toMatchObject({
    value: 'octo',
    from: 'derived.owner_name',
    fields: ['repository.owner.name'],
  });
  expect(of('environment')).toMatchObject({
    value: '',
    from: expect.stringMatching(/as the profile says where the build has none/),
    fields: ['environment.name'],
  });
  expect(of('iss')).toMatchObject({
    value: 'https://id.example.com/ci',
    from: 'base_url of mayfly.yaml:1, and the source',
  });
  expect(of('exp')).toMatchObject({ value: NOW + 600, from: expect.stringContaining('10m') });
  expect(of('nbf')).toMatchObject({ value: NOW - 30 });
  expect(token?.claims).toHaveLength(8 + 37);
  expect(of('status')).toMatchObject({ value: 'known when the build is on record' });
});

test('an audience is allowed by the line of mayfly.yaml that names it', async () => {
  const lineOf = async (audience: string, build = BUILD) => {
    const [verdict] = (await explained({ audience }, build)).audiences;
    return [verdict?.allowed, verdict?.line, verdict?.entry];
  };

  expect(await lineOf('https://vault.example.com')).toEqual([true, 5, 'https://vault.example.com']);
  expect(await lineOf('https://api.example.com/v1')).toEqual([true, 5, 'https://api.example.com/*']);
  expect(await lineOf('sts.amazonaws.com')).toEqual([true, 8, 'sts.amazonaws.com for octo/*']);
  expect(await lineOf('https://evil.example')).toEqual([false, 5, undefined]);
  expect(await lineOf('sts.amazonaws.com', { ...BUILD, repository: { id: '1', name: 'other/x' } })).toEqual([
    false,
    5,
    undefined,
  ]);
});

test('every audience that a build declares is explained, each for its variable', async () => {
  const event = started(BUILD, {
    A: { aud: 'https://vault.example.com' },
    B: { aud: 'https://evil.example' },
  });

  const { audiences, token } = explain(await deployment('mayfly', LINES), event, {}, NOW);

  expect(audiences).toMatchObject([
    { declared: 'A', allowed: true },
    {
      declared: 'B',
      allowed: false,
      refusal: {
        error: 'invalid_target',
        next: expect.stringContaining('sources.ci.audiences in mayfly.yaml'),
      },
    },
  ]);
  expect(token?.claims.find(({ claim }) => claim === 'aud')?.value).toBe('https://vault.example.com');
});

test('what policy says of a build is told with its line, or that it is so by default', async () => {
  const { policy } = await explained({
    audience: 'https://api.example.com/v1',
    lifetimeSeconds: 3600,
    subjectClaim: 'pipeline',
  });

  const of = (rule: string) => policy.find((line) => line.rule === rule);
  expect(of('forks')).toMatchObject({ line: 11, verdict: 'allows' });
  expect(of('max_lifetime')).toMatchObject({ line: 10, verdict: 'refuses', says: '20m; asked for 3600s' });
  expect(of('lifetime')).toMatchObject({ line: 9, says: '10m' });
  expect(of('build_timeout')).toMatchObject({ line: undefined, says: '6h' });
  expect(of('subject_claims')).toMatchObject({
    line: 12,
    verdict: 'refuses',
    says: 'pipeline; allowed: repository',
  });
  expect(of('algorithms')).toMatchObject({ line: 13, says: 'ES256 for https://api.example.com/*' });
});

test('a build of a fork is refused by the line that denies forks, or by default', async () => {
  const fork = { ...BUILD, source_repository: { id: '6', name: 'mallory/hello' } };
  const wish = { audience: 'https://vault.example.com' };

  expect((await explained(wish, fork)).audiences[0]).toMatchObject({
    allowed: false,
    line: 11,
    refusal: { error: 'access_denied', next: expect.stringContaining('forks in mayfly.yaml to allow') },
  });
  expect(
    (await explained(wish, fork, LINES.slice(0, 1))).policy.find(({ rule }) => rule === 'forks'),
  ).toMatchObject({ line: undefined, verdict: 'refuses' });
});

test('what the build lacks is named, with the field that the CI must send', async () => {
  const { audiences } = await explained(
    { audience: 'https://vault.example.com', subjectClaim: 'repository' },
    { id: 'x' },
  );

  expect(audiences[0]?.refusal).toMatchObject({
    error_description: 'build lacks repository.id',
    next: 'have the CI send data.build.repository.id',
  });
});

test('the parts of a subject, joined, are the subject, for every golden build', async () => {
  for (const { profile, build, subjectClaim, file } of GOLDEN_BUILDS) {
    const set = subjectClaim && /github|gitlab/.test(profile) ? [`subject: ${subjectClaim}`] : [];
    const here = await deployment(profile, [
      "audiences: ['*']",
      ...set,
      ...(file.includes('fork') ? ['forks: allow'] : []),
    ]);
    const asked = set.length === 0 ? subjectClaim : undefined;
    const wish = { audience: 'a', ...(asked !== undefined && { subjectClaim: asked }) };

    const { claims } = tokenOf(here, started(build), wish, NOW);
    const facts = factsOf(admittedBuild(here.policy, started(build), NOW));
    const { parts } = subjectParts(here.profile, facts, asked ?? here.policy.subject);

    expect(parts.map(({ text }) => text).join('')).toBe(claims['sub']);
  }
});

test('an event that is none says what to give, and every fault of one is named', () => {
  expect(() => readEvent('no')).toThrow(/is not JSON: give the file/);
  expect(() => readEvent('{"type":"dev.cdevents.build.started.0.3.0"}')).toThrow(/CDEvent/);
  expect(() => readEvent('{"type":"dev.mayfly.ci.build.finished"}')).toThrow(/give the one of its start/);
  expect(() => readEvent('{"type":"dev.mayfly.ci.build.started"}')).toThrow(
    /must have required properties .*; correct it/,
  );
});

test('every fault of mayfly.yaml is named with its line', async () => {
  expect(() => readPolicyFile('sources:\n  ci:\n    audiences: []\n    lifetime: x\n', 'm.yaml')).toThrow(
    /m\.yaml:3: .*m\.yaml:4: /,
  );
  expect(() => readPolicyFile('a: [', 'm.yaml')).toThrow(/^m\.yaml:1: .*correct it/);
  await expect(deployment('mayfly', ['audiences: [a]', 'subject: nobody'])).rejects.toThrow(
    /^mayfly\.yaml:6: sources\.ci\.subject must be one of/,
  );
});

test('a value is escaped in its part as it is in the subject, also where several share a component', async () => {
  const build = {
    ...BUILD,
    repository: { ...BUILD.repository, id: '7', name: 'o@c/he@l/lo', owner: { id: '1', name: 'o@c' } },
  };
  const here = await deployment('github');

  const { claims } = tokenOf(here, started(build), { audience: 'a' }, NOW);
  const { parts } = subjectParts(here.profile, factsOf(admittedBuild(here.policy, started(build), NOW)));

  expect(parts.map(({ text }) => text).join('')).toBe(claims['sub']);
  expect(claims['sub']).toMatch(/%40/);
});

test('what a build asks for by name is allowed by the line of that name', async () => {
  const lines = ['audiences: [a]', 'optional_claims:', '  - runner_id', '  - task'];

  const { policy } = await explained({ audience: 'a', optionalClaims: ['task'] }, BUILD, lines);

  expect(policy.find(({ rule }) => rule === 'optional_claims')).toMatchObject({ line: 8, verdict: 'allows' });
});
