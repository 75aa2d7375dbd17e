import { readdirSync, readFileSync } from 'node:fs';
import { checkBuildStarted, checkTokenGrant } from '@mayfly/contracts/events';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, test } from 'vitest';
import { finishedEvent, startedEvent } from './ci.ts';

const contracts = new URL('../packages/contracts/schemas/', import.meta.url);
const golden = new URL('../packages/profiles/golden/', import.meta.url);

/** A validator of other makers, as somebody who writes in another language would have. */
const ajv = new Ajv2020({ strict: true, allowUnionTypes: true });
ajv.addKeyword('x-trust');

const read = (file: string, from = contracts) => JSON.parse(readFileSync(new URL(file, from), 'utf8'));
const checkWith = (name: string) => ajv.compile(read(`${name}.schema.json`) as object);
const files = readdirSync(contracts).filter((file) => file.endsWith('.schema.json'));

test.each(files)('a validator of other makers takes %s without complaint', (file) => {
  const { $id: _, ...schema } = read(file) as { $id: string };

  expect(() => ajv.compile(schema)).not.toThrow();
});

test('every golden build is a build to a validator of other makers too', () => {
  const check = checkWith('build');
  const builds = readdirSync(golden).flatMap((profile) =>
    readdirSync(new URL(`${profile}/`, golden)).map((file) => read(`${profile}/${file}`, golden).build),
  );

  expect(builds.length).toBeGreaterThan(60);
  for (const build of builds) expect([check(build), check.errors]).toEqual([true, null]);
});

test.each([
  ['a name that no environment variable has', { id_tokens: { 'BAD NAME': { aud: 'x' } } }],
  ['a token without an audience', { id_tokens: { TOKEN: {} } }],
  ['a reply that is a whole subject', { reply: 'tokens.other.x' }],
  ['a field that nobody knows', { admin: true }],
])('%s is refused by us and by a validator of other makers', (_, data) => {
  const check = ajv.getSchema('build-started.schema.json') ?? checkWith('build-started');
  const event = startedEvent('acme', { id: 'b' });
  const wrong = { ...event, data: { ...event.data, ...data } };

  expect([check(event), checkBuildStarted.is(event)]).toEqual([true, true]);
  expect([check(wrong), checkBuildStarted.is(wrong)]).toEqual([false, false]);
});

test('the end of a build is one to a validator of other makers too', () => {
  expect(checkWith('build-finished')(finishedEvent('acme', 'b', 2))).toBe(true);
});

test('a grant names tokens by environment variables and by nothing else', () => {
  const { id, source, time } = startedEvent('acme', { id: 'b' });
  const data = {
    ...{
      id: 'b',
      attempt: 1,
      deadline: 1,
      id_token_request_url: 'https://x',
      id_token_request_token: 'mfr_x',
    },
    id_tokens: { TOKEN: 'a.b.c' },
  };
  const grant = (more: object) => ({
    ...{ specversion: '1.0', id, source, time, type: 'dev.mayfly.tokens.granted' },
    data: { ...data, ...more },
  });

  expect(checkTokenGrant.is(grant({}))).toBe(true);
  expect(checkTokenGrant.is(grant({ id_tokens: { 'BAD NAME': 'a.b.c' } }))).toBe(false);
  const refused = { error: 'x', error_description: 'y' };
  expect(checkTokenGrant.is(grant({ id_token_errors: { 'BAD NAME': refused } }))).toBe(false);
});
