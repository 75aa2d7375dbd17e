import { expect, test } from 'vitest';
import { inTurn } from './turn.ts';

test('what is given in one turn is done together and in order, and one that fails keeps the others from nothing', async () => {
  const done: number[] = [];
  const act = (number: number) => inTurn(() => done.push(number));
  const failing = inTurn(() => {
    throw new Error('no');
  });
  const all = Promise.all([act(1), act(2)]);
  await Promise.resolve();
  expect(done).toEqual([]);

  await expect(failing).rejects.toThrow('no');
  expect(await all).toEqual([1, 2]);
  await act(3);
  expect(done).toEqual([1, 2, 3]);
});

test('an act that takes its time is waited for', async () => {
  expect(await inTurn(async () => 'later')).toBe('later');
});
