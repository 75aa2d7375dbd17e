import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { EVENT_NAMES } from './bus.ts';
import { CHANNELS } from './schema-channels.ts';
import { schemaDocuments } from './schema-documents.ts';

const DIR = join(import.meta.dirname, '..', 'schemas');
const documents = schemaDocuments();

test.each(Object.keys(documents))(
  '%s is what the code says: npm run schemas -w @mayfly/contracts',
  (file) => {
    expect(JSON.parse(readFileSync(join(DIR, file), 'utf8'))).toEqual(documents[file]);
  },
);

test('no document is published that the code does not make', () => {
  const published = readdirSync(DIR).filter((file) => file.endsWith('.json'));

  expect(new Set(published)).toEqual(new Set(Object.keys(documents)));
});

test('every event name is described', () => {
  const described = new Set(CHANNELS.map(({ address }) => address));
  const names = Object.values(EVENT_NAMES).map((name) =>
    typeof name === 'string' ? name : name('{source}', '{reply}'),
  );
  const commands = names
    .filter((name) => name.startsWith('admin.'))
    .map((name) => name.replace('{source}', ''));

  for (const name of names.filter((one) => !one.startsWith('admin.'))) expect(described).toContain(name);
  for (const beginning of commands)
    expect([...described].filter((one) => one.startsWith(beginning)).length).toBeGreaterThan(0);
});

test.each(Object.keys(documents))('every reference in %s leads somewhere within it', (file) => {
  const document = documents[file] as object;

  for (const reference of referencesIn(document)) {
    expect(reference).toMatch(/^#\//);
    expect(Object.keys(at(document, reference) ?? {}), reference).not.toEqual([]);
  }
});

test('every field of a build says what it is, with an example and who decides it', () => {
  const undescribed = fieldsOf(documents['build.schema.json'] as Field, 'build').filter(
    ([, { description, examples, 'x-trust': trust }]) => !description || !examples || !trust,
  );

  expect(undescribed.map(([path]) => path)).toEqual([]);
});

type Field = {
  description?: string;
  examples?: unknown[];
  'x-trust'?: string;
  properties?: Record<string, Field>;
  items?: Field;
  patternProperties?: Record<string, Field>;
};

/** Every field, the items of a list as `path[]` and the members of a map as `path.*`. */
function fieldsOf(schema: Field, path: string): [string, Field][] {
  const inside: [string, Field][] = [
    ...Object.entries(schema.properties ?? {}).map(([name, field]): [string, Field] => [
      `${path}.${name}`,
      field,
    ]),
    ...Object.values(schema.patternProperties ?? {}).map((field): [string, Field] => [`${path}.*`, field]),
    ...(schema.items ? [[`${path}[]`, schema.items] satisfies [string, Field]] : []),
  ];
  return inside.flatMap(([at, field]) => [[at, field], ...fieldsOf(field, at)]);
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) =>
    name === '$ref' && typeof inner === 'string' ? [inner] : referencesIn(inner),
  );
}

function at(document: object, reference: string): unknown {
  let value: unknown = document;
  for (const name of reference.split('/').slice(1))
    value = (value as Record<string, unknown> | undefined)?.[name];
  return value;
}
