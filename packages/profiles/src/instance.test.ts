import fc from 'fast-check';
import { expect, test } from 'vitest';
import { instanceText } from './instance.ts';

/** What Concourse's own tests of InstanceVars.String expect: atc/pipeline_test.go, without its null. */
test.each([
  [
    { 'field.1': { 'subfield:1': 1, 'subfield 2': ['1', 2, { k: 'v' }] }, other: 'field' },
    '"field.1"."subfield 2":["1",2,{"k":"v"}],"field.1"."subfield:1":1,other:field',
  ],
  [{ b: { foo: 1, bar: ['1', 2] }, a: 'hello.world' }, 'a:hello.world,b.bar:["1",2],b.foo:1'],
  [
    { colon: 'a:b', comma: 'a,b', space: 'a b', slash: 'a/b' },
    'colon:"a:b",comma:"a,b",slash:"a/b",space:"a b"',
  ],
  [
    { int: '123', float: '4e+6', bool: 'true', weird_bool: 'yes', empty: '' },
    'bool:"true",empty:"",float:"4e+6",int:"123",weird_bool:"yes"',
  ],
  [{ int: 123, float: 123.456, bool: true }, 'bool:true,float:123.456,int:123'],
])('%j is called %s, as Concourse calls it', (vars, text) => {
  expect(instanceText(vars)).toBe(text);
});

test.each([
  [{}, ''],
  [{ foo: 'bar' }, 'foo:bar'],
  [{ version: 2, branch: 'feature' }, 'branch:feature,version:2'],
  [{ a: '1', b: 'true', c: 'yes', d: 'x y', e: 'm/n' }, 'a:"1",b:"true",c:"yes",d:"x y",e:"m/n"'],
  [{ a: { b: { c: 1 }, d: [1, { z: 1, y: 2 }] } }, 'a.b.c:1,a.d:[1,{"y":2,"z":1}]'],
  [{ 'a.b': 1, 'c,d': 2, e: {} }, '"a.b":1,"c,d":2,e:{}'],
  [{ a: '<b>' }, 'a:\\u003cb\\u003e'],
])('%j is called %s', (vars, text) => {
  expect(instanceText(vars)).toBe(text);
});

test.each([
  '{'.repeat(1024),
  '['.repeat(1024),
  `&a\t${'{'.repeat(1000)}`,
  `-\n${'[{'.repeat(500)}`,
  `!\t${'{'.repeat(1000)}`,
])('a text that would take YAML for ever is quoted at once: %#', { timeout: 2000 }, (text) => {
  expect(instanceText({ branch: text })).toBe(`branch:${JSON.stringify(text).replace('&', '\\u0026')}`);
});

test('signs of collections within a text leave it bare, as Concourse does', () => {
  expect(instanceText({ branch: 'feature-{x}', other: 'a[0]' })).toBe('branch:feature-{x},other:a[0]');
});

const word = fc
  .array(fc.constantFrom('a', 'b', '.', ',', ':', '"', '/', ' ', '1', '{}', '[', '\\', 'true', '1e+21'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((parts) => parts.join(''));
const value = fc.oneof(
  word,
  fc.integer({ max: 1, min: 0 }),
  fc.constantFrom(1e21, 1e-7, -1.5, true),
  fc.array(word, { maxLength: 2 }),
);
const vars = fc.dictionary(word, fc.oneof(value, fc.dictionary(word, value, { maxKeys: 2 })), { maxKeys: 2 });

test('however many variables there are, and whatever is in them, their text costs little', () => {
  const hostile = Object.fromEntries(Array.from({ length: 60 }, (_, at) => [`v${at}`, '?\n'.repeat(500)]));
  const started = performance.now();

  expect(instanceText(hostile)).toContain('v1:');

  expect(performance.now() - started).toBeLessThan(250);
});

test('instances of other variables have other names', () => {
  fc.assert(
    fc.property(fc.array(vars, { minLength: 200, maxLength: 400 }), (all) => {
      const seen = new Map<string, unknown>();
      for (const one of all) {
        const text = instanceText(one);
        expect(sorted(seen.get(text) ?? one)).toBe(sorted(one));
        seen.set(text, one);
      }
    }),
    { numRuns: 25 },
  );
});

function sorted(of: unknown): string {
  return JSON.stringify(of, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
