import { expect, test } from 'vitest';
import { serverClock } from './server-clock.ts';

test('the time is what the server said last, carried on by a clock that only goes forward', () => {
  const clocks = { monotonic: 5000, wall: 1_800_000_000_000 };
  const clock = serverClock(
    () => clocks.monotonic,
    () => clocks.wall,
  );
  expect(clock.now()).toBe(clocks.wall);

  clock.hear(1_700_000_000_000);
  clocks.monotonic += 1500;
  clocks.wall -= 3_600_000;

  expect(clock.now()).toBe(1_700_000_001_500);
});
