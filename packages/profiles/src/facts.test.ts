import type { Build } from '@mayfly/contracts/build';
import { expect, test } from 'vitest';
import { factsOf } from './facts.ts';
import { isFork } from './fork.ts';
import { admit } from './testing.ts';

const facts = (build: Partial<Build>) => factsOf(admit({ id: '1', ...build }));

test.each([
  ['refs/heads/main', undefined, 'main', 'branch'],
  ['refs/tags/v1', undefined, 'v1', 'tag'],
  ['refs/heads/v1', 'tag', 'v1', 'branch'],
  ['refs/heads/refs/tags/v1', undefined, 'refs/heads/refs/tags/v1', 'branch'],
  ['refs/heads/refs/merge-requests/1/head', undefined, 'refs/heads/refs/merge-requests/1/head', 'branch'],
  ['refs/merge-requests/1/head', 'branch', 'refs/merge-requests/1/head', 'branch'],
  ['feature', 'branch', 'feature', 'branch'],
  ['refs/heads/', undefined, 'refs/heads/', undefined],
])('the ref %s (said to be a %s) is %s, a %s', (ref, ref_type, name, type) => {
  const read = facts({ ref, ...(ref_type !== undefined && { ref_type }) });

  expect([read('derived.ref_name'), read('derived.ref_type')]).toEqual([name, type]);
});

test.each([
  ['alpine', 'alpine', undefined],
  ['alpine:3.22', 'alpine', '3.22'],
  ['registry:5000/alpine', 'registry:5000/alpine', undefined],
  ['registry:5000/alpine:3.22', 'registry:5000/alpine', '3.22'],
  ['registry:5000/alpine:3.22@sha256:0123', 'registry:5000/alpine', '3.22'],
  ['alpine@sha256:0123', 'alpine', undefined],
])('the image %s is %s with the tag %s', (image, name, tag) => {
  const read = facts({ step: { image } });

  expect([read('derived.image_name'), read('derived.image_tag')]).toEqual([name, tag]);
});

const own = { id: '4', name: 'octo/hello' };
test.each<[string, Partial<Build>, boolean]>([
  ['nothing', {}, false],
  ['that it is one', { repository: own, fork: true }, true],
  [
    'that it is none, and its own repository',
    { repository: own, source_repository: own, fork: false },
    false,
  ],
  [
    'that it is none, and another repository',
    { repository: own, source_repository: { ...own, id: '5' }, fork: false },
    true,
  ],
  [
    'two whose names are empty, one of them without an id',
    { repository: { id: '4', name: '' }, source_repository: { name: '' } },
    true,
  ],
  ['a source alone', { source_repository: own }, true],
  [
    'the same name with another id',
    { repository: own, source_repository: { id: '5', name: 'octo/hello' } },
    true,
  ],
  [
    'the same id with another name',
    { repository: own, source_repository: { id: '4', name: 'octo/hi' } },
    false,
  ],
  ['another name without an id', { repository: own, source_repository: { name: 'mallory/hello' } }, true],
  ['the same name without an id', { repository: own, source_repository: { name: 'octo/hello' } }, false],
])('a build that says %s: is it a fork?', (_, build, expected) => {
  expect(isFork({ id: '1', ...build })).toBe(expected);
  expect(facts(build)('derived.fork')).toBe(expected);
});

test('the fork is there wholly or not at all', () => {
  const forked = facts({
    repository: { ...own, visibility: 'private' },
    source_repository: { name: 'mallory/hello' },
  });
  const unnamed = facts({ repository: own, fork: true });

  expect(['name', 'id', 'visibility'].map((name) => forked(`head_repository.${name}`))).toEqual([
    'mallory/hello',
    undefined,
    undefined,
  ]);
  expect(unnamed('head_repository.id')).toBeUndefined();
});

test('a workload runs as its own account, wholly', () => {
  const read = facts({
    actor: { id: '1', login: 'mona', email: 'mona@example.com' },
    workload: { user: { id: '7' } },
  });

  expect([read('runs_as.id'), read('runs_as.email'), read('actor.id')]).toEqual(['7', undefined, '1']);
});

test('what is empty is not there, and neither is what every object has', () => {
  const read = facts({ ref: '', labels: {}, job: { name: '' }, actor: { groups: [] } });

  expect(['ref', 'labels', 'job.name', 'constructor', 'labels.toString', '__proto__'].map(read)).toEqual(
    Array(6).fill(undefined),
  );
  expect(read('actor.groups')).toEqual([]);
});

test('the attempt and the source are those that were admitted', () => {
  const read = factsOf(admit({ id: '1', attempt: 9 }, { attempt: 2, source: 'demo' }));

  expect([read('attempt'), read('source')]).toEqual([2, 'demo']);
});
