import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type Feed, feed } from './feed.ts';
import { feedLog } from './feed-log.ts';
import { readEndsSince } from './read-ends.ts';
import { endedBuild, NOW, storedEnd, testLifecycle } from './testing.ts';

const WINDOW_MS = 900_000;

beforeEach(() => {
  vi.useFakeTimers({ now: NOW * 1000 + 100_000, toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function listen(kept: Feed) {
  const heard: (number | string)[] = [];
  const listener = {
    source: 'acme',
    tell: ({ seq }: { seq: number }) => void heard.push(seq),
    beat: () => void heard.push('beat'),
    end: () => void heard.push('end'),
  };
  const { ends } = kept.listen(listener);
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

  kept.heard('e52');
  add(52);
  await vi.waitFor(() => expect(heard).toEqual([52]));
  add(53);
  await kept.tick();
  expect(heard).toEqual([52, 53, 'beat']);
  isFresh = false;
  await kept.tick();
  expect(heard).toEqual([52, 53, 'beat']);
});

test('each end that is announced is read once, and one that was read before it was announced is not waited for', async () => {
  const { log, add, asked } = testLifecycle(10, 1000);
  const kept = feed({ lifecycle: log, isFresh: async () => true, windowMs: WINDOW_MS });
  await kept.tick();
  const { heard } = listen(kept);
  const before = asked();

  for (let seq = 11; seq <= 30; seq++) {
    add(seq);
    kept.heard(`e${seq}`);
    await vi.waitFor(() => expect(heard.at(-1)).toBe(seq), { interval: 1 });
  }
  expect(asked() - before).toBe(20);

  add(31);
  await kept.tick();
  kept.heard('e31');
  await kept.tick();
  expect(heard.slice(-3)).toEqual([31, 'beat', 'beat']);
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
  expect(log.of('acme')).toHaveLength(1);

  log.forgetBefore(1500);
  expect(log.of('acme')).toHaveLength(0);
  expect(log.of('other')).toHaveLength(1);
});

test('the ends of a window are found without reading what was before it', async () => {
  const { log, asked } = testLifecycle(20_000, 10, (seq) => seq % 3 === 0);
  const since = NOW * 1000 + 19_900 * 10;
  const { ends, last } = await readEndsSince(since, log);

  expect(ends.map(({ seq }) => seq)).toEqual(
    Array.from({ length: 20_000 }, (_, index) => index + 1).filter((seq) => seq % 3 === 0 && seq >= 19_900),
  );
  expect(last).toBe(19_998);
  expect(asked()).toBeLessThan(120);
  expect(await readEndsSince(0, { next: async () => undefined, last: async () => undefined })).toEqual({
    ends: [],
    last: 0,
  });
  expect(storedEnd(1, 0).ended?.id).toBe('b1');
});
