import type { Algorithm } from '@mayfly/contracts/signing';
import { afterEach, expect, test, vi } from 'vitest';
import { generateSigningKey } from './generate.ts';
import { signJws } from './jws.ts';
import { emptyKeyring, type Keyring, type NewKey, publicKeys } from './keyring.ts';
import type { RotationRules } from './rules.ts';
import { signPool } from './sign-pool.ts';
import { DAY_MS, fakeKeys, HOUR_MS, keepOnce, RULES } from './testing.ts';
import { allVerifiers, type Fetch, ISSUER, type Verifier } from './testing-verifiers.ts';

const START = 1_800_000_000_000;
const TICK_MS = 600_000;
/** What a cache between us and a verifier may serve: max-age=300, stale-while-revalidate=60. */
const STALE_MS = 360_000;
const SCARCE: RotationRules = { ...RULES, rotateEveryMs: 3 * DAY_MS };

afterEach(() => {
  vi.useRealTimers();
});

test('over twenty rotations six kinds of verifiers refuse no valid token, and none asks more than once in five minutes', async () => {
  const { rotations, refused, verifiers } = await simulate(SCARCE, 61);

  expect(rotations).toEqual({ RS256: 20, ES256: 20 });
  expect(refused).toEqual([]);
  const hasty = verifiers.filter(({ fetches }) => leastGap(fetches) < 300_000).map(({ name }) => name);
  expect(hasty).toEqual([]);
}, 30_000);

test('were keys published for less than a day, a file that is copied once a day would lack them', async () => {
  const { refused } = await simulate(
    { ...SCARCE, publishAheadMs: 12 * HOUR_MS, rotateEveryMs: 12 * HOUR_MS },
    4,
  );

  expect(new Set(refused)).toContain('a file copied once a day');
  expect(new Set(refused)).not.toContain('jose');
}, 30_000);

const leastGap = (times: number[]) =>
  Math.min(Infinity, ...times.slice(1).map((time, index) => time - (times[index] as number)));

async function simulate(rules: RotationRules, days: number) {
  vi.useFakeTimers({ now: START, toFake: ['Date'] });
  const makeKey = await keysOfOnePair();
  const pool = signPool();
  const served: { at: number; keys: ReturnType<typeof publicKeys> }[] = [];
  const fetch: Fetch = () => ({ keys: served.findLast(({ at }) => at <= Date.now() - STALE_MS)?.keys ?? [] });
  let keyring = keepOnce(emptyKeyring('acme'), makeKey, START, { rules });
  served.push({ at: START - DAY_MS, keys: publicKeys(keyring) });
  const verifiers = allVerifiers(fetch, START);
  const rotations = { RS256: 0, ES256: 0 };
  const refused: string[] = [];
  const alive: { token: string; kid: string; until: number }[] = [];
  const views = { now: () => keyring, confirmed: async () => keyring };

  for (let tick = 0; tick * TICK_MS < days * DAY_MS; tick++) {
    vi.setSystemTime(START + tick * TICK_MS);
    const next = keepOnce(keyring, makeKey, Date.now(), { rules });
    countRotations(keyring, next, rotations);
    if (next.version !== keyring.version) served.push({ at: Date.now(), keys: publicKeys(next) });
    keyring = next;
    if (isWorthSigning(tick, rules)) alive.push(...(await signBoth({ views, custody: pool }, rules)));
    // Each token is shown when it is new, and again when it is about to expire by the slowest clock.
    const shown = alive.filter(
      ({ until }, index) => index >= alive.length - 2 || until - Date.now() < TICK_MS,
    );
    refused.push(...(await show(shown, verifiers)));
    alive.splice(0, alive.length, ...alive.filter(({ until }) => until - Date.now() >= TICK_MS));
  }
  await pool.close();
  return { rotations, refused, verifiers };
}

/** Every four hours, and in each tick around a rotation. */
function isWorthSigning(tick: number, { rotateEveryMs }: RotationRules): boolean {
  const sinceRotation = (tick * TICK_MS + TICK_MS) % rotateEveryMs;
  return tick % 24 === 0 || sinceRotation <= 2 * TICK_MS;
}

/** Gives the names of the verifiers that refuse a token. */
async function show(tokens: { token: string; kid: string }[], verifiers: Verifier[]): Promise<string[]> {
  const refusing: string[] = [];
  for (const { token, kid } of tokens) {
    for (const { name, accepts } of verifiers) if (!(await accepts(token, kid))) refusing.push(name);
  }
  return refusing;
}

/** Keys of different kids, all with the numbers of one real pair: making them is not what is simulated. */
async function keysOfOnePair(): Promise<(alg: Algorithm) => NewKey> {
  const [rsa, ec] = await Promise.all([generateSigningKey('RS256'), generateSigningKey('ES256')]);
  const fake = fakeKeys();
  return (alg) => ({ ...fake(alg), jwk: (alg === 'RS256' ? rsa : ec).jwk });
}

async function signBoth(holder: Parameters<typeof signJws>[1], rules: RotationRules) {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { aud: 'api', iat, exp: iat + rules.longestSeconds };
  const until = claims.exp * 1000 + rules.leewayMs - 1000;
  return await Promise.all(
    (['RS256', 'ES256'] as const).map(async (alg) => {
      const token = await signJws({ source: 'acme', typ: 'JWT', alg, issuer: ISSUER, claims }, holder);
      const header = JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString());
      return { token, kid: header.kid as string, until };
    }),
  );
}

function countRotations(before: Keyring, after: Keyring, rotations: Record<Algorithm, number>): void {
  for (const { alg, kid } of after.keys.filter(({ state }) => state === 'active')) {
    if (before.keys.some((key) => key.kid === kid && key.state === 'prepared')) rotations[alg]++;
  }
}
