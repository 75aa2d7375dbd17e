import { Build } from '@mayfly/contracts/build';
import { checker } from '@mayfly/contracts/check';
import type { TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { FIELDS, fieldName } from './fields.ts';

type Schema = TSchema & {
  properties?: Record<string, Schema>;
  items?: Schema;
  patternProperties?: Record<string, Schema>;
  description?: string;
  examples?: unknown[];
  'x-trust'?: string;
};

const every = fieldsOf(Build as Schema, 'build');
const check = checker(Build);
const least = { id: '1' };

test.each(every)('%s tells what it is, gives an example of itself, and says who decides it', (_, schema) => {
  expect(schema.description).toMatch(/^[A-Z].{6,}\.$/);
  expect(['trusted', 'user-controlled']).toContain(schema['x-trust']);
  expect(schema.examples?.length).toBeGreaterThan(0);
  expect(checker(schema).faults(schema.examples?.[0])).toEqual([]);
});

test.each(every)('%s is never null and, where it is an object, holds nothing unknown', (path, schema) => {
  expect(checker(schema).is(null)).toBe(false);
  if (schema.properties)
    expect(checker(schema).is({ ...(schema.examples?.[0] as object), surprise: 1 })).toBe(false);
  expect(path).toMatch(/^build(\.[a-z_]+|\.\*|\[\])+$/);
});

test('a build of its examples is a build, and so is the least', () => {
  const examples = Object.entries(Build.properties).map(([name, schema]) => [
    name,
    (schema as Schema).examples?.[0],
  ]);

  expect(check.faults(Object.fromEntries(examples))).toEqual([]);
  expect(check.faults(least)).toEqual([]);
});

test.each([
  ['null', { ...least, ref: null }],
  ['null in an instance variable', { ...least, pipeline: { instance_vars: { a: { b: [null] } } } }],
  ['a field that nobody knows', { ...least, branch_name: 'main' }],
  ['a field that nobody knows, inside', { ...least, repository: { name: 'a/b', full_name: 'a/b' } }],
  ['a line break', { ...least, ref: 'refs/heads/a\nb' }],
  ['text without end', { ...least, ref: 'a'.repeat(1025) }],
  ['a label of no name', { ...least, labels: { 'a b': 'x' } }],
  ['null under a name that is none', { ...least, pipeline: { instance_vars: { 'a\nb': null } } }],
  ['a number as text', { ...least, number: '42' }],
  [
    'labels without end',
    { ...least, labels: Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`l${at}`, ''])) },
  ],
])('a build with %s is refused', (_, build) => {
  expect(check.is(build)).toBe(false);
});

test('a profile can name every field of a build, a map or a list as a whole', () => {
  expect(FIELDS.get('repository.owner.id')).toEqual({ kind: 'text', trust: 'trusted' });
  expect(FIELDS.get('ref')).toEqual({ kind: 'text', trust: 'user-controlled' });
  expect(FIELDS.get('head_repository.name')?.trust).toBe('trusted');
  expect(FIELDS.get('runs_as.identities')?.kind).toBe('list');
  expect(FIELDS.get('pipeline.instance_vars')?.kind).toBe('map');
  expect(FIELDS.get('repository')).toBeUndefined();
});

test('a fact that is worked out is called by the field that a CI sends', () => {
  const sent = [...FIELDS.keys()]
    .map(fieldName)
    .filter((name) => name !== 'source' && name !== 'derived.fork');

  expect(sent.filter((name) => !every.some(([path]) => path === `build.${name}`))).toEqual([]);
});

/** Every field, the items of a list as `path[]` and the members of a map as `path.*`. */
function fieldsOf(schema: Schema, path: string): [string, Schema][] {
  const inside: [string, Schema][] = [
    ...Object.entries(schema.properties ?? {}).map(([name, field]): [string, Schema] => [
      `${path}.${name}`,
      field,
    ]),
    ...Object.values(schema.patternProperties ?? {}).map((field): [string, Schema] => [`${path}.*`, field]),
    ...(schema.items ? [[`${path}[]`, schema.items] satisfies [string, Schema]] : []),
  ];
  return inside.flatMap(([at, field]) => [[at, field], ...fieldsOf(field, at)]);
}
