import { ServiceError } from '@mayfly/contracts/errors';
import { createHttp } from '@mayfly/service-kit/http';
import type { Logger } from 'pino';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { statusListRoutes } from './http-status-lists.ts';
import { ISSUER, NOW } from './testing.ts';

// However long fifty answers take, they come within the time for which one is reused.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;

/** The lists of an issuer, whose builds are known for some more milliseconds, or not. */
function served(freshForMs: number) {
  const state: { isKnown: boolean; signed: number; read: number } = { isKnown: true, signed: 0, read: 0 };
  const http = createHttp(silent);
  const lists = {
    ...{ source: 'acme', issuer: ISSUER },
    running: {
      async read() {
        state.read += 1;
        if (!state.isKnown) throw new ServiceError('temporarily_unavailable', 'not known');
        return {
          bits: new Uint8Array(),
          streamCreatedMs: 7,
          firstSeq: 1,
          lastSeq: 9,
          now: NOW * 1000,
          freshForMs,
        };
      },
    },
    async sign() {
      state.signed += 1;
      return `signed ${state.signed}`;
    },
  };
  statusListRoutes(http, '/lists', lists, { documents: () => undefined });
  return { state, get: (list = '7-0') => http.inject(`/lists/${list}`) };
}

test('however many ask for a list at once, it is signed once', async () => {
  const { state, get } = served(2000);
  const answers = await Promise.all(Array.from({ length: 50 }, () => get()));

  expect(new Set(answers.map(({ body }) => body))).toEqual(new Set(['signed 1']));
  expect((await get()).body).toBe('signed 1');
  expect(state.signed).toBe(1);
});

test('of lists that there are not one is looked for, however many are asked for', async () => {
  const { state, get } = served(2000);
  expect((await get('8-0')).statusCode).toBe(404);
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, at) => get(at % 2 ? `7-${at + 2}` : `${at + 9}-0`)),
  );

  expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([404]));
  expect(state.read).toBe(1);
  expect((await get()).statusCode).toBe(200);
  expect((await get('7-1')).statusCode).toBe(200);
  expect(state.read).toBe(3);
});

test('a list that is there already is not given out either once nobody knows which builds run', async () => {
  const { state, get } = served(0);
  expect((await get()).statusCode).toBe(200);
  state.isKnown = false;
  vi.advanceTimersByTime(1);

  expect((await get()).statusCode).toBe(503);
});
