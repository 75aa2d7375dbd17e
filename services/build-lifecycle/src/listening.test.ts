import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { listening } from './listening.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function listen() {
  const state = { canHear: true, now: 0 };
  const resources = new AsyncDisposableStack();
  const { listenedMs } = listening(
    () => state.canHear,
    () => state.now,
    resources,
  );
  /** Lets time pass, looked at every 100 ms. */
  const pass = (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      state.now += 100;
      vi.advanceTimersByTime(100);
    }
  };
  return { state, pass, listenedMs, [Symbol.asyncDispose]: () => resources.disposeAsync() };
}

test('counts from when heartbeats can be heard, and anew after they could not', async () => {
  await using listener = listen();
  const { state, pass, listenedMs } = listener;
  state.canHear = false;
  pass(1000);
  expect(listenedMs()).toBe(0);

  state.canHear = true;
  pass(1000);
  expect(listenedMs()).toBe(900);

  // Also where nobody asked meanwhile.
  state.canHear = false;
  pass(100);
  state.canHear = true;
  pass(500);
  expect(listenedMs()).toBe(400);
});

test('counts anew after the process was paused', async () => {
  await using listener = listen();
  const { state, pass, listenedMs } = listener;
  pass(1000);
  state.now += 1500;
  expect(listenedMs()).toBe(2400);

  state.now += 1501;
  expect(listenedMs()).toBe(0);
  pass(300);
  expect(listenedMs()).toBe(200);
});
