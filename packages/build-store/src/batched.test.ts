import { expect, test } from 'vitest';
import { batched } from './batched.ts';

test('what is asked for in one turn is done together, at most so many at once, and each gets its own result', async () => {
  const steps: number[][] = [];
  const double = batched<number, number>(2, async (items) => {
    steps.push([...items]);
    return items.map((item) => item * 2);
  });
  const all = Promise.all([1, 2, 3].map(double));
  await Promise.resolve();
  expect(steps, 'not before the turn is over').toEqual([]);
  expect(await all).toEqual([2, 4, 6]);
  expect(await double(4)).toBe(8);
  expect(steps).toEqual([[1, 2], [3], [4]]);
});

test('those that were to be done in one step fail with it, and no others', async () => {
  const act = batched<number, number>(2, async (items) => {
    if (items.includes(1)) throw new Error('no');
    return items;
  });
  const results = await Promise.allSettled([1, 2, 3].map(act));
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
});
