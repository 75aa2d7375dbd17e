import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CommandError } from './exit-codes.ts';
import { keepFresh, untilDue } from './keep-fresh.ts';
import { backOff } from './patience.ts';
import { eventually } from './run-in-test.ts';
import { testToken } from './testing.ts';

test('a token is replaced before 80 % of its life, whatever chance says and whenever it came', () => {
  const iat = 1_000_000;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 86_400 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer({ min: -600_000, max: 86_400_000 }),
      (life, chance, late) => {
        const now = iat * 1000 + late;
        const due = untilDue(testTokenFor(iat, life), { now: () => now, random: () => chance });

        expect(due).toBeGreaterThanOrEqual(0);
        expect(due === 0 || now + due < (iat + life * 0.8) * 1000).toBe(true);
        expect(due).toBeLessThan(life * 1000 * 0.8);
      },
    ),
    { numRuns: 50 },
  );
});

test('chance spreads when tokens are replaced and asked for again, and each failure doubles the wait up to half a minute', () => {
  const token = testTokenFor(0, 1000);
  const due = (chance: number) => untilDue(token, { now: () => 0, random: () => chance }) / 1000;

  expect([due(0), due(1)]).toEqual([600, 750]);
  expect([1, 2, 3, 20].map((failures) => backOff(failures, 1))).toEqual([1_000, 2_000, 4_000, 30_000]);
  expect([1, 2, 3, 20].map((failures) => backOff(failures, 0))).toEqual([500, 1_000, 2_000, 15_000]);
});

test('a token that is held for five minutes is replaced before one that was read last can end, if it lives for ten', () => {
  const at = { now: () => 0, random: () => 1 };
  const due = (life: number) => untilDue(testTokenFor(0, life), at, 300) / 1000;

  expect(due(600)).toBe(270);
  expect(due(900)).toBe(570);
  expect(due(3600)).toBe(3600 * 0.75);
  expect(due(300)).toBe(300 * 0.75);
});

test('a clock that is far ahead of the issuer does not make us ask without end', async () => {
  const stopped = new AbortController();
  let asked = 0;
  const kept = keepFresh(
    { name: 'VAULT', audiences: ['v'], token: testToken() },
    {
      issue: async () => {
        asked += 1;
        return { token: testToken(), expiresAt: 0 };
      },
      replace: () => {},
      warn: () => {},
      signal: stopped.signal,
      now: () => Date.now() + 3_600_000,
      random: () => 0,
    },
  );

  await eventually(() => asked === 1);
  stopped.abort();
  await kept;

  expect(asked).toBe(1);
});

test('a refresh that the issuer refuses is told once, and is the last', async () => {
  const lines: string[] = [];
  const refused = new CommandError('refused', 'refused', { code: 'invalid_token' });
  await keepFresh(
    { name: 'VAULT', audiences: ['v'], token: testTokenFor(0, 1) },
    {
      issue: () => Promise.reject(refused),
      replace: () => {},
      warn: (line) => lines.push(line),
      signal: new AbortController().signal,
      now: Date.now,
      random: Math.random,
    },
  );

  expect(lines).toEqual(['VAULT could not be refreshed: refused']);
});

test('what is no word of the issuer, and a token that cannot be masked now, end no refreshing', async () => {
  const stopped = new AbortController();
  const lines: string[] = [];
  const kept: string[] = [];
  const outcomes = [
    () => Promise.reject(new CommandError('refused', 'a proxy', { code: 'status 404' })),
    () => Promise.reject(new CommandError('masking', 'too many')),
    () => Promise.resolve({ token: testTokenFor(Date.now() / 1000, 3600) }),
  ];
  await keepFresh(
    { name: 'VAULT', audiences: ['v'], token: testTokenFor(0, 1) },
    {
      issue: () => (outcomes.shift() as () => Promise<{ token: string }>)() as never,
      replace(_name, token) {
        kept.push(token);
        stopped.abort();
      },
      warn: (line) => lines.push(line),
      signal: stopped.signal,
      now: Date.now,
      random: () => 0,
    },
  );

  expect(lines).toEqual(['VAULT could not be refreshed: a proxy', 'VAULT could not be refreshed: too many']);
  expect(kept).toHaveLength(1);
});

function testTokenFor(iat: number, life: number): string {
  return testToken({ iat, exp: iat + life });
}
