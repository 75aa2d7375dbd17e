import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, digestOf } from './canonical.ts';

test('canonical JSON says the same value, whatever the order of its members', () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      fc.pre(JSON.stringify(value).isWellFormed());
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(canonicalJson({ b: [1, { d: 1, c: 2 }], a: null })).toBe('{"a":null,"b":[1,{"c":2,"d":1}]}');
  expect(digestOf({ a: 1, b: 2 })).toBe(digestOf({ b: 2, a: 1 }));
});

test('a member that is undefined is as one that is not there', () => {
  expect(canonicalJson({ a: undefined })).toBe('{}');
});

test('text with half a character has no canonical form', () => {
  expect(() => canonicalJson({ a: '\ud800' })).toThrow(TypeError);
  expect(() => canonicalJson({ '\udfff': 1 })).toThrow(TypeError);
});
