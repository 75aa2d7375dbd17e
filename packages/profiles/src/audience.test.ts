import type { Build } from '@mayfly/contracts/build';
import { expect, test } from 'vitest';
import { algorithmFor, entryFor } from './algorithm.ts';
import { allowedAudience, audiencesFor, expandAudience } from './audience.ts';
import { lifetimeFor, lifetimesOf } from './lifetime.ts';
import { subjectLimit } from './subject-limit.ts';

const braced = (name: string) => `\${${name}}`;

const build: Build = {
  id: '1',
  environment: { name: 'production' },
  variables: { CI_SERVER_URL: 'https://git.example.com', NESTED: '$CI_SERVER_URL', EMPTY: '', SPACE: 'a b' },
};

test.each([
  ['https://vault.example.com', 'https://vault.example.com'],
  ['$CI_SERVER_URL/x', 'https://git.example.com/x'],
  [`${braced('CI_SERVER_URL')}x`, 'https://git.example.comx'],
  [`aws-${braced('environment')}`, 'aws-production'],
  ['cost$$CI_SERVER_URL', 'cost$CI_SERVER_URL'],
  ['$NESTED', '$CI_SERVER_URL'],
  ['x$EMPTY', 'x'],
  ['5$', '5$'],
])('the audience %s reads %s', (text, expanded) => {
  expect(expandAudience(text, build)).toBe(expanded);
});

test.each([
  ['$CI_JOB', /names CI_JOB,/],
  [braced('CI_JOB'), /names CI_JOB,/],
  ['$environment', /names environment,/],
  ['$constructor', /names constructor,/],
  ['$EMPTY', /1 to 255/],
  ['$SPACE', /1 to 255/],
  [`$CI_SERVER_URL/${'x'.repeat(250)}`, /1 to 255/],
])('the audience %s is refused, and says why', (text, reason) => {
  expect(() => expandAudience(text, build)).toThrow(reason);
});

test('an environment that the build has not is not read as empty', () => {
  expect(() => expandAudience(`aws-${braced('environment')}`, { id: '1' })).toThrow(/names environment/);
});

test('an audience is the whole of an exact one, or begins as a prefix does', () => {
  const policy = { audiences: ['https://a.example', 'https://b.example/*'] };

  expect(
    ['https://a.example', 'https://b.example/', 'https://b.example/x'].every((one) =>
      allowedAudience(policy, build, one),
    ),
  ).toBe(true);
  expect(
    ['https://a.example/', 'https://b.example', 'https://b.example.evil/', ''].some((one) =>
      allowedAudience(policy, build, one),
    ),
  ).toBe(false);
});

test('without a repository a build has no audiences of one', () => {
  const policy = { audiences: ['a'], repository_audiences: { '*': ['b'], 'octo/*': ['c'] } };

  expect(audiencesFor(policy, build)).toEqual(['a']);
  expect(audiencesFor(policy, { ...build, repository: { name: 'octo/x' } })).toEqual(['a', 'b', 'c']);
});

test('the id of a repository is the whole id', () => {
  const policy = { audiences: ['a'], repository_audiences: { 'id:4': ['b'] } };

  expect(audiencesFor(policy, { ...build, repository: { name: 'octo/x', id: '4' } })).toEqual(['a', 'b']);
  expect(audiencesFor(policy, { ...build, repository: { name: 'id:4', id: '45' } })).toEqual(['a']);
});

test('an exact entry comes before a prefix, and a longer prefix before a shorter', () => {
  const entries = { '*': 1, 'https://a/*': 2, 'https://a/b': 3 };

  expect(['https://a/b', 'https://a/c', 'x'].map((one) => entryFor(entries, one))).toEqual([3, 2, 1]);
  expect(entryFor(undefined, 'x')).toBeUndefined();
});

test('a token is RS256 unless policy says otherwise', () => {
  expect(algorithmFor({ audiences: ['x'] }, ['x'])).toBe('RS256');
  expect(algorithmFor({ audiences: ['x'], algorithms: { x: 'ES256' } }, ['x'])).toBe('ES256');
});

test('a token lives five minutes, and nobody may ask for more, unless policy says otherwise', () => {
  expect(lifetimesOf({ audiences: ['x'] })).toEqual({ usual: 300, longest: 300 });
  expect(lifetimesOf({ audiences: ['x'], lifetime: '10m', max_lifetime: '1h' })).toEqual({
    usual: 600,
    longest: 3600,
  });
  expect(() => lifetimeFor({ audiences: ['x'] }, 301)).toThrow(/from 10 to 300/);
});

test('of several audiences the one that takes the shortest subject decides', () => {
  const policy = { audiences: ['x'], subject_limits: { x: 100, 'api://AzureADTokenExchange': 50 } };

  expect(subjectLimit(policy, ['x', 'https://iam.googleapis.com/projects/1'])).toBe(100);
  expect(subjectLimit(policy, ['api://AzureADTokenExchange'])).toBe(50);
  expect(subjectLimit({ audiences: ['x'] }, ['api://AzureADTokenExchange'])).toBe(600);
  expect(subjectLimit({ audiences: ['x'] }, ['x'])).toBeUndefined();
});

test('what is asked for and may be a token or a password is in no message', () => {
  const secret = `mfr_${'x'.repeat(60)}`;
  const message = (text: string) => {
    try {
      return expandAudience(text, { id: '1' });
    } catch (error) {
      return (error as Error).message;
    }
  };

  expect(message('https://$HOST')).toBe('audience names HOST, which the build lacks');
  expect(message(`$${secret}`)).toBe('audience names a variable, which the build lacks');
});
