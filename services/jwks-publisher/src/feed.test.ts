import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Feed, feed } from './feed.ts';
import { feedLog } from './feed-log.ts';
import type { StoredEnd } from './lifecycle-log.ts';
import { lastBefore, readEndsAfter, windowReader } from './read-ends.ts';
import { endedBuild, NOW, storedEnd, testLifecycle } from './testing.ts';

const WINDOW_MS = 900_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW * 1000 + 100_000, toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const endOf = (seq: number) => storedEnd(seq, NOW * 1000 + seq * 1000);

function listen(kept: Feed) {
  const heard: (number | string)[] = [];
  const listener = {
    source: 'acme',
    tell: ({ seq }: { seq: number }) => void heard.push(seq),
    beat: () => void heard.push('beat'),
    end: () => void heard.push('end'),
  };
  kept.listen(listener);
  const ends = kept.endsOf(listener.source).list;
  return { opening: ends.map(({ seq }) => seq), heard };
}

test('whoever comes is told every end of the window, then each new one, and beats that prove that none is missing', async () => {
  const { log, add } = testLifecycle(50, 1000, (seq) => seq % 2 === 0);
  let isFresh = false;
  const kept = feed({ lifecycle: log, isFresh: async () => isFresh, windowMs: WINDOW_MS });
  await kept.tick();
  expect(kept.isProven()).toBe(false);
  isFresh = true;
  await kept.tick();
  expect(kept.isProven()).toBe(true);

  const { opening, heard } = listen(kept);
  expect(opening).toEqual(Array.from({ length: 25 }, (_, index) => (index + 1) * 2));

  add(52);
  kept.stored(endOf(52), 50);
  expect(heard).toEqual([52]);
  add(53);
  await kept.tick();
  expect(heard).toEqual([52, 53, 'beat']);
  isFresh = false;
  await kept.tick();
  expect(heard).toEqual([52, 53, 'beat']);
});

test('an end that is heard of in its turn is told at once, and not asked for; one that was missed is read before it', async () => {
  const { log, add, asked } = testLifecycle(10, 1000);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  const { heard } = listen(kept);
  const before = asked();

  for (let seq = 11; seq <= 30; seq++) {
    add(seq);
    kept.stored(endOf(seq), seq - 1);
    expect(heard.at(-1)).toBe(seq);
  }
  expect(asked()).toBe(before);

  add(31);
  add(32);
  kept.stored(endOf(32), 31);
  await vi.waitFor(() => expect(heard.slice(-2)).toEqual([31, 32]), { interval: 1 });

  add(33);
  await kept.tick();
  kept.stored(endOf(33), 32);
  await kept.tick();
  expect(heard.slice(-4)).toEqual([32, 33, 'beat', 'beat']);
});

test('an end that is heard of before it can be read is waited for, and nothing is proven until it has come', async () => {
  const { log, add } = testLifecycle(10, 1000);
  let leaders = endOf(10);
  const lifecycle = { ...log, last: async () => leaders };
  const kept = feed({ lifecycle, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  const { heard } = listen(kept);
  expect(kept.isProven()).toBe(true);

  leaders = endOf(12);
  kept.stored(endOf(12), 11);
  expect(kept.isProven()).toBe(false);
  for (let times = 0; times < 3; times++) await kept.tick();
  expect(heard).toEqual([]);
  expect(kept.isProven()).toBe(false);

  add(11);
  add(12);
  await vi.waitFor(() => expect(heard).toEqual([11, 12]), { interval: 1 });
  await kept.tick();
  expect(heard).toEqual([11, 12, 'beat']);
});

test('an end that was heard of and is not in the stream, as its leader says, was lost: the others are proven without it', async () => {
  const { log } = testLifecycle(10, 1000);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  const { heard } = listen(kept);

  kept.stored(endOf(12), 11);
  expect(kept.isProven()).toBe(false);
  await kept.tick();

  expect(heard).toEqual(['beat']);
  expect(kept.isProven()).toBe(true);
});

test('what a replica of the stream does not have yet is not taken for what is not there', async () => {
  const { log, stored, add } = testLifecycle(9, 1000);
  const lifecycle = { ...log, last: async () => endOf(10) };
  const kept = feed({ lifecycle, isFresh: async () => true, windowMs: WINDOW_MS });

  await expect(kept.tick()).rejects.toMatchObject({ code: 'temporarily_unavailable' });
  expect(kept.isProven()).toBe(false);
  add(10);
  await kept.tick();
  expect(listen(kept).opening).toHaveLength(10);
  expect(kept.isProven()).toBe(true);

  stored.delete(10);
  lifecycle.last = async () => endOf(11);
  const { heard } = listen(kept);
  await kept.tick();
  expect(heard).toEqual([]);
  add(10);
  add(11);
  await kept.tick();
  expect(heard).toEqual([11, 'beat']);

  lifecycle.last = async () => endOf(12);
  lifecycle.some = async (seq, most) => {
    const found = await log.some(seq, most);
    add(12);
    return found;
  };
  await kept.tick();
  expect(heard).toEqual([11, 'beat', 12, 'beat']);
});

test('a stream that was made anew after a window without an end is read from its beginning', async () => {
  const { log, stored } = testLifecycle(10, 1000);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  vi.setSystemTime(NOW * 1000 + 100_000 + WINDOW_MS);
  await kept.tick();
  const { heard, opening } = listen(kept);
  expect(opening).toEqual([]);

  stored.clear();
  for (const seq of [1, 2]) stored.set(seq, storedEnd(seq, Date.now()));
  kept.stored(stored.get(2) as StoredEnd, 1);
  await kept.tick();

  expect(heard).toEqual([1, 2, 'beat']);
});

test('what is heard of while the first ends are read is told in its turn, once', async () => {
  const { log, add } = testLifecycle(10, 1000);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  const { heard } = listen(kept);
  const first = kept.tick();
  for (let seq = 11; seq <= 13; seq++) {
    add(seq);
    kept.stored(endOf(seq), seq - 1);
  }
  await first;
  await vi.waitFor(() => expect(heard.filter((one) => one !== 'beat').slice(-3)).toEqual([11, 12, 13]));
  expect(heard.filter((one) => one !== 'beat')).toHaveLength(13);
});

test('from a server that gives one end for a question, a first reading that fails goes on where it failed, four at a time', async () => {
  const { log, asked } = testLifecycle(9000, 1, (seq) => seq % 10 === 0);
  let [left, now, most] = [600, 0, 0];
  const some: typeof log.some = async (seq) => {
    if (left-- === 0) throw new Error('the bus went away');
    most = Math.max(most, ++now);
    return await log.some(seq, 1).finally(() => now--);
  };
  const kept = feed({ lifecycle: { ...log, some }, isFresh: async () => true, windowMs: WINDOW_MS });

  await expect(kept.tick()).rejects.toThrow('the bus went away');
  expect(most).toBe(4);
  expect(kept.isProven()).toBe(false);
  await kept.tick();

  expect(listen(kept).opening).toEqual(Array.from({ length: 900 }, (_, index) => (index + 1) * 10));
  expect(asked()).toBeLessThan(900 + 400 + 100);
});

test('what was missed, and a whole window, are read many at a question', async () => {
  const { log, add, asked } = testLifecycle(9000, 1);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  expect(listen(kept).opening).toHaveLength(9000);
  expect(asked()).toBeLessThan(9000 / 64 + 40);

  const before = asked();
  for (let seq = 9001; seq <= 9640; seq++) add(seq);
  await kept.tick();
  expect(listen(kept).opening).toHaveLength(9640);
  expect(asked() - before).toBeLessThan(15);
});

test('a first reading that failed begins anew where the stream is another one by then', async () => {
  const { log, stored, add } = testLifecycle(9000, 1, (seq) => seq % 10 === 0);
  let left = 600;
  const some: typeof log.some = async (seq) => {
    if (left-- === 0) throw new Error('the bus went away');
    return await log.some(seq, 1);
  };
  const taken: number[] = [];
  const reader = windowReader({ ...log, some }, WINDOW_MS, ({ seq }) => void taken.push(seq));
  await expect(reader.readAll()).rejects.toThrow('the bus went away');
  taken.length = 0;
  stored.clear();
  for (const seq of [1, 2, 3]) add(seq);

  expect(await reader.readAll()).toBe(3);
  expect(taken).toEqual([1, 2, 3]);
});

test('a stream that lost what it held begins anew, and everyone who listens with it', async () => {
  const { log, stored, add } = testLifecycle(10, 1000);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  const { heard } = listen(kept);
  stored.clear();
  add(1);

  for (let times = 0; times < 3; times++) await kept.tick();
  expect(heard[0]).toBe('end');
  expect(listen(kept).opening).toEqual([1]);
});

test('an end is told once however often it is announced, and forgotten after its window', () => {
  const log = feedLog();
  expect(log.add(endedBuild(1, 1000))).toBe(true);
  expect(log.add({ ...endedBuild(1, 2000), seq: 2 })).toBe(false);
  expect(log.add({ ...endedBuild(1, 2000, 'other'), seq: 3 })).toBe(true);
  expect(log.of('acme').list).toHaveLength(1);

  log.forgetBefore(1500);
  expect(log.of('acme')).toMatchObject({ first: 1, list: [] });
  expect(log.of('other').list).toHaveLength(1);
});

test('the ends of a window are found without reading what was before it', async () => {
  const { log, asked } = testLifecycle(20_000, 10, (seq) => seq % 3 === 0);
  const since = NOW * 1000 + 19_900 * 10;
  const { ends, to, isLast } = await readEndsAfter(await lastBefore(since, log), log);

  expect(ends.map(({ seq }) => seq)).toEqual(
    Array.from({ length: 20_000 }, (_, index) => index + 1).filter((seq) => seq % 3 === 0 && seq >= 19_900),
  );
  expect({ to, isLast }).toEqual({ to: 19_998, isLast: true });
  expect(asked()).toBeLessThan(120);
  const empty = { next: async () => undefined, some: async () => [], last: async () => undefined };
  expect(await lastBefore(0, empty)).toBe(0);
  expect(await readEndsAfter(0, empty)).toEqual({ ends: [], to: 0, isLast: true });
  expect(storedEnd(1, 0).ended?.id).toBe('b1');
});
