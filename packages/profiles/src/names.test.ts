import { readFileSync } from 'node:fs';
import type { Build } from '@mayfly/contracts/build';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { expect, test } from 'vitest';
import { compileProfile } from './compile.ts';
import { namesOf, watchedNames } from './names.ts';
import { PROFILES_DIR, readProfile } from './read.ts';
import { admit } from './testing.ts';

const build: Build = {
  id: 'b-1',
  organization: { id: '3', name: 'octo' },
  repository: { id: '4', name: 'octo/hello', owner: { id: '1', name: 'octo' } },
  pipeline: { id: '12', name: 'release' },
  workflow: { id: 'w1', name: 'nightly' },
  project: { id: 'p1', name: 'Billing' },
  actor: { id: '9', login: 'octocat' },
  environment: { id: '17', name: 'production' },
  cluster: { id: '21', name: 'default' },
};

async function said(name: string, one: Build = build, policy: Partial<SourcePolicy> = {}) {
  const profile = await readProfile(PROFILES_DIR, name);
  const watched = watchedNames({ audiences: ['x'], ...policy }, profile);
  return namesOf(watched, admit(one)).map(({ kind, name, id }) => `${kind} ${name} ${id}`);
}

test.each([
  [
    'mayfly',
    [
      'organization octo 3',
      'owner octo 1',
      'repository octo/hello 4',
      'person octocat 9',
      'environment octo%2Fhello/production 17',
    ],
  ],
  [
    'github',
    ['owner octo 1', 'repository octo/hello 4', 'person octocat 9', 'environment octo%2Fhello/production 17'],
  ],
  ['gitlab', ['owner octo 1', 'repository octo/hello 4', 'person octocat 9']],
  ['vela', ['repository octo/hello 4', 'person octocat 9']],
  ['buildkite', ['organization octo 3', 'pipeline octo/release 12', 'cluster octo/default 21']],
  ['concourse', ['organization octo 3', 'pipeline octo/release 12']],
  ['n8n', ['person octocat 9', 'environment w1/production 17']],
])('tokens of %s say the names that their claims and their subject are made of', async (name, expected) => {
  expect(new Set(await said(name))).toEqual(new Set(expected));
});

test('a pipeline is watched only where a subject that may be had is made of its name without its id', async () => {
  expect(await said('buildkite', build, { subject: 'pipeline_id' })).toEqual([
    'organization octo 3',
    'cluster octo/default 21',
  ]);
  expect(await said('mayfly')).not.toContain('pipeline octo/release 12');
});

test('a pipeline whose id stands beside its name in the subject is not watched', () => {
  const text = readFileSync(`${PROFILES_DIR}concourse.yaml`, 'utf8').replaceAll(
    '{pipeline.name}',
    '{pipeline.name}@{pipeline.id}',
  );
  const watched = watchedNames({ audiences: ['x'] }, compileProfile(text, 'concourse.yaml'));

  expect(watched.map(({ kind }) => kind)).toEqual(['organization']);
});

test('pipelines of one name in two organizations, or of two instances, are two names', async () => {
  const instance = { pipeline: { id: '13', name: 'release', instance_vars: { branch: 'feature' } } };
  const elsewhere = { organization: { id: '5', name: 'octo/' }, pipeline: { id: '14', name: '/release' } };

  expect(await said('concourse', { ...build, ...instance })).toContain(
    'pipeline octo/release/branch:feature 13',
  );
  expect(await said('concourse', { ...build, ...elsewhere })).toContain('pipeline octo%2F/%2Frelease 14');
});

test('an instance whose variables no name could hold stands under their digest, another under another', async () => {
  const of = (last: string) => {
    const long = '/'.repeat(128);
    const inner = Object.fromEntries(Array.from({ length: 32 }, (_, at) => [`k${at}`, at === 31 ? last : 1]));
    return {
      ...build,
      pipeline: { id: '15', name: 'release', instance_vars: { [long]: { [long]: inner } } },
    };
  };
  const [one, other] = [await said('concourse', of('a')), await said('concourse', of('b'))];

  expect(one[1]).toMatch(/^pipeline octo\/release\/sha256:[0-9a-f]{64} 15$/);
  expect(one[1]).not.toBe(other[1]);
});

test('a repository whose name has audiences of its own is watched, whatever tokens say of it', async () => {
  const byName = { repository_audiences: { 'octo/hello': ['x'] } };
  const byOwner = { repository_audiences: { 'octo/*': ['x'] } };

  expect(await said('n8n', build, byName)).toContain('repository octo/hello 4');
  expect(await said('n8n', build, byOwner)).toEqual(
    expect.arrayContaining(['repository octo/hello 4', 'owner octo 1']),
  );
  expect(await said('n8n', build, { repository_audiences: { 'id:4': ['x'] } })).toEqual(await said('n8n'));
});

test('environments of one name in two repositories, and clusters in two organizations, are two names', async () => {
  const elsewhere = {
    organization: { id: '5', name: 'acme' },
    repository: { id: '8', name: 'octo/other', owner: { id: '1', name: 'octo' } },
    environment: { id: '18', name: 'production' },
    cluster: { id: '22', name: 'default' },
  };

  for (const subject of ['immutable', 'names'])
    expect(await said('github', { ...build, ...elsewhere }, { subject })).toContain(
      'environment octo%2Fother/production 18',
    );
  expect(await said('buildkite', { ...build, ...elsewhere })).toContain('cluster acme/default 22');
});

test('an environment is watched only where a subject that may be had is made of its name', async () => {
  expect(await said('gitlab')).not.toContain('environment octo%2Fhello/production 17');
  expect(await said('n8n', build, { subject_claims: [] })).toEqual(['person octocat 9']);
});

test('the repository of a fork is a name of its own, also where it takes the name of the one that it was forked from', async () => {
  const fork = { ...build, source_repository: { id: '666', name: 'octo/hello' } };
  const named = { ...build, source_repository: { name: 'mallory/hello' } };

  expect(await said('gitlab', fork)).toEqual(
    expect.arrayContaining(['repository octo/hello 4', 'repository octo/hello 666']),
  );
  expect(await said('gitlab', named)).toContain('repository mallory/hello undefined');
});

test('a name that a build says twice and gives an id once is one name', async () => {
  const same = { ...build, source_repository: { name: 'octo/hello' } };

  expect((await said('gitlab', same)).filter((one) => one.startsWith('repository'))).toEqual([
    'repository octo/hello 4',
  ]);
});

test('a build without a name says none', async () => {
  expect(await said('mayfly', { id: 'b' })).toEqual([]);
});
