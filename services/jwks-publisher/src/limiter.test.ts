import { expect, test } from 'vitest';
import { limiter } from './limiter.ts';

test('who has used up what it had regains it with time, and nobody else is concerned', () => {
  let time = 0;
  const limited = limiter(3, 2, () => time);
  for (let times = 0; times < 3; times++) limited.count('a');

  expect(limited.hasLeft('a')).toBe(false);
  expect(limited.hasLeft('b')).toBe(true);
  time += 499;
  expect(limited.hasLeft('a')).toBe(false);
  time += 1;
  expect(limited.hasLeft('a')).toBe(true);
  time += 1_000_000;
  for (let times = 0; times < 3; times++) limited.count('a');
  expect(limited.hasLeft('a')).toBe(false);
});
