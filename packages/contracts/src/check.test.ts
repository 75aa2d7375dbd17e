import Type from 'typebox';
import { expect, test } from 'vitest';
import { checker } from './check.ts';

const check = checker(
  Type.Object(
    {
      name: Type.String(),
      parties: Type.Optional(
        Type.Record(Type.String({ pattern: '^[a-z]+$' }), Type.String(), { additionalProperties: false }),
      ),
    },
    { additionalProperties: false },
  ),
);
const many = (count: number, value: unknown = 1) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`unknown-${index}`, value]));

test('however many members there are that there must not be, it is said, and at no great length', () => {
  for (const count of [1, 8, 9, 200]) {
    expect(() => check.parse({ name: 'x', ...many(count) })).toThrow(/must not have unknown-0/);
    expect(() => check.parse({ name: 'x', parties: many(count, 'y') })).toThrow(/\/parties .*unknown-0/);
  }
  const [fault] = check.faults({ name: 'x', ...many(400) });
  expect(fault?.message).toMatch(/unknown-9 and 390 more$/);
});

test('of far too many faults it is said that there are, and nobody waits for them to be counted', () => {
  const value = { name: 'x', ...many(20_000) };
  expect(() => check.parse(value)).toThrow('has more faults than are counted');
  const quickest = Math.min(
    ...Array.from({ length: 5 }, () => {
      const began = performance.now();
      check.faults(value);
      return performance.now() - began;
    }),
  );
  expect(quickest).toBeLessThan(50);
});

test('every fault is named, also those beside many others', () => {
  expect(check.faults(many(8)).map(({ message }) => message)).toEqual(
    expect.arrayContaining([expect.stringContaining('name'), expect.stringContaining('must not have')]),
  );
});
