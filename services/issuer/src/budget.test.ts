import { expect, test } from 'vitest';
import { budget } from './budget.ts';

const LIFE = 'YWNtZS8xLzE';

/** What a Redis counts, and how often it was asked to. */
function counting() {
  const counts = new Map<string, number>();
  let writes = 0;
  return {
    counts,
    writes: () => writes,
    redis: {
      async incrby(key: string, by: number) {
        writes += 1;
        counts.set(key, (counts.get(key) ?? 0) + by);
        return counts.get(key) as number;
      },
      pexpireat: async () => 1,
    } as never,
  };
}

const takeAll = (of: ReturnType<typeof budget>, times: number, most: number) =>
  Promise.all(Array.from({ length: times }, () => of.take(LIFE, 1, most)));

test('over two replicas each number is given once, in order where few tokens may be', async () => {
  const { redis } = counting();
  const [one, other] = [budget(redis), budget(redis)];

  const numbers = [await takeAll(one, 3, 5), await takeAll(other, 2, 5), await takeAll(one, 1, 5)].flat();

  expect(numbers).toEqual([0, 1, 2, 3, 4, 5]);
});

test('where many may be, a hundredth is counted at once, however many ask together, and none is given twice', async () => {
  const { redis, writes } = counting();
  const [one, other] = [budget(redis), budget(redis)];

  const numbers = (await Promise.all([takeAll(one, 100, 1000), takeAll(other, 100, 1000)])).flat();

  expect(new Set(numbers).size).toBe(200);
  // Each began with one, and went on by ten.
  expect(writes()).toBe(22);
});

/** Takes a number as a runner's token does: once it is given, the next are counted if it was the last. */
async function takeOne(of: ReturnType<typeof budget>, most = 1000) {
  const number = await of.take(LIFE, 1, most);
  of.countAhead(LIFE, 1, most);
  // What is counted ahead has come, or failed, before the next is asked for.
  await new Promise(setImmediate);
  return number;
}

test('whoever asks often waits for no count: the next numbers are counted once the last is given', async () => {
  const { redis, writes } = counting();
  const counts = budget(redis);
  const isAtHand: boolean[] = [];
  for (let number = 0; number < 22; number++) {
    isAtHand.push(counts.isAtHand(LIFE));
    expect(await takeOne(counts)).toBe(number);
  }

  // All but the first, and the first of ten; one count for each of these, and for the tens after them.
  expect(isAtHand).toEqual([false, false, ...Array(20).fill(true)]);
  expect(writes()).toBe(4);
});

test('where few may be, nothing is counted before it is asked for', async () => {
  const { redis, writes } = counting();
  const counts = budget(redis);
  for (let number = 0; number < 5; number++) {
    expect(counts.isAtHand(LIFE)).toBe(false);
    expect(await takeOne(counts, 100)).toBe(number);
  }

  expect(writes()).toBe(5);
});

test.each([
  ['later', () => Promise.reject(new Error('down'))],
  [
    'at once',
    () => {
      throw new Error('down');
    },
  ],
])('numbers whose count ahead fails %s are counted when they are asked for', async (_, fail) => {
  const { redis } = counting();
  const working: { incrby(key: string, by: number): Promise<number> } = redis;
  let calls = 0;
  const incrby = (key: string, by: number) => (++calls === 3 ? fail() : working.incrby(key, by));
  const counts = budget({ incrby, pexpireat: async () => 1 } as never);

  for (let number = 0; number < 22; number++) expect(await takeOne(counts)).toBe(number);
  expect(calls).toBe(5);
});

test('a build that asks now and then, among many thousand others, loses no number', async () => {
  const { redis } = counting();
  const counts = budget(redis);
  const numbers: number[] = [];
  for (let round = 0; round < 3; round++) {
    numbers.push(await counts.take(LIFE, 1, 1000));
    for (let other = 0; other <= 20_000; other++) await counts.take(`o${other}`, 1, 1000);
  }

  expect(numbers).toEqual([0, 1, 2]);
});

test('a number that nobody had the token of is given again', async () => {
  const { redis, writes } = counting();
  const counts = budget(redis);
  const number = await counts.take(LIFE, 1, 1000);

  for (let times = 0; times < 100; times++) {
    counts.giveBack(LIFE, number);
    expect(await counts.take(LIFE, 1, 1000)).toBe(number);
  }

  expect(await counts.take(LIFE, 1, 1000)).toBe(number + 1);
  expect(writes()).toBe(2);
});

test('a Redis that fails gives no token, and the next one is counted when it is back', async () => {
  const { redis } = counting();
  const faults = new Set(['down']);
  const working: { incrby(key: string, by: number): Promise<number> } = redis;
  const failing = {
    incrby: (key: string, by: number) =>
      faults.size === 0 ? working.incrby(key, by) : Promise.reject(new Error('down')),
    pexpireat: async () => 1,
  };
  const counts = budget(failing as never);

  await expect(counts.take(LIFE, 1, 1000)).rejects.toMatchObject({ code: 'temporarily_unavailable' });
  faults.clear();
  expect(await counts.take(LIFE, 1, 1000)).toBe(0);
});
