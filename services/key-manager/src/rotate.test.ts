import type { Algorithm } from '@mayfly/contracts/signing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ALGORITHMS, activeKey, emptyKeyring, type Keyring, publicKeySet } from './keyring.ts';
import { due, goneAt, isAnythingDue, revokeKey } from './rotate.ts';
import { DAY_MS, fakeKeys, HOUR_MS, keepOnce, RULES } from './testing.ts';

const START = 1_800_000_000_000;
const of = (keyring: Keyring, state: string) => keyring.keys.filter((key) => key.state === state);

test('a new source has an active key and a standby for each algorithm, and is then left alone', () => {
  const keyring = keepOnce(emptyKeyring('acme'), fakeKeys(), START);

  expect(of(keyring, 'active').map(({ alg }) => alg)).toEqual(ALGORITHMS);
  expect(of(keyring, 'prepared').map(({ alg }) => alg)).toEqual(ALGORITHMS);
  expect(isAnythingDue(due(keyring, RULES, START + 30 * DAY_MS - 1))).toBe(false);
});

test('after thirty days the standby signs, the old key stays published, and a new standby is there', () => {
  const makeKey = fakeKeys();
  const first = keepOnce(emptyKeyring('acme'), makeKey, START);
  const standby = of(first, 'prepared')[0];

  const rotated = keepOnce(first, makeKey, START + 30 * DAY_MS);

  expect(activeKey(rotated, 'RS256')?.kid).toBe(standby?.kid);
  expect(of(rotated, 'retired').map(({ kid }) => kid)).toEqual(of(first, 'active').map(({ kid }) => kid));
  expect(of(rotated, 'prepared')).toHaveLength(2);
  expect(publicKeySet(rotated).keys).toHaveLength(6);
});

test('a standby that is not known to be published does not sign, however old the active key is', () => {
  const makeKey = fakeKeys();
  const first = keepOnce(emptyKeyring('acme'), makeKey, START, { isPublished: false });

  const later = keepOnce(first, makeKey, START + 90 * DAY_MS);

  expect(of(later, 'active')).toEqual(
    of(first, 'active').map((key) => ({ ...key, publishedAt: START + 90 * DAY_MS })),
  );
});

test('a command rotates one algorithm, once its standby was published for long enough', () => {
  const makeKey = fakeKeys();
  const first = keepOnce(emptyKeyring('acme'), makeKey, START);
  const asked: Algorithm[] = ['ES256'];

  const early = keepOnce(first, makeKey, START + 26 * HOUR_MS - 1, { asked });
  const rotated = keepOnce(first, makeKey, START + 26 * HOUR_MS, { asked });

  expect(early).toEqual(first);
  expect(of(rotated, 'retired').map(({ alg }) => alg)).toEqual(['ES256']);
});

test('when the active key is revoked, a key signs that was never published, and the standby stays one', () => {
  const makeKey = fakeKeys();
  const first = keepOnce(emptyKeyring('acme'), makeKey, START);
  const stolen = activeKey(first, 'RS256')?.kid as string;

  const without = revokeKey(first, stolen, 'stolen', START + 1);
  const next = keepOnce(without, makeKey, START + 1);

  const everPublished = new Set(publicKeySet(first).keys.map(({ kid }) => kid));
  expect(everPublished.has(activeKey(next, 'RS256')?.kid as string)).toBe(false);
  expect(of(next, 'prepared')).toEqual(of(first, 'prepared'));
  expect(publicKeySet(next).keys.some(({ kid }) => kid === stolen)).toBe(false);
  expect(publicKeySet(next).revoked).toEqual([
    { kid: stolen, reason: 'stolen', at: ((START + 1) / 1000) | 0 },
  ]);
  expect(JSON.stringify(next)).not.toContain(first.keys.find(({ kid }) => kid === stolen)?.jwk.d);
});

test('longer lifetimes are noted before they are signed, and an old key stays for the longest it ever had', () => {
  const makeKey = fakeKeys();
  const longer = { ...RULES, longestSeconds: 7200 };
  const first = keepOnce(emptyKeyring('acme'), makeKey, START);
  const lengthened = keepOnce(first, makeKey, START + HOUR_MS, { rules: longer });
  const shortAgain = keepOnce(lengthened, makeKey, START + 2 * HOUR_MS);

  const rotated = keepOnce(shortAgain, makeKey, START + 30 * DAY_MS);

  const goneAfter = of(rotated, 'retired').map((key) => (goneAt(key, RULES) as number) - START - 30 * DAY_MS);
  expect(goneAfter).toEqual([2 * HOUR_MS + 600_000, 2 * HOUR_MS + 600_000]);
});

type Act = { wait: number; what: 'keep' | 'keep unpublished' | 'rotate' | 'revoke'; pick: number };
const acts = fc.array(
  fc.record({
    wait: fc.oneof(fc.integer({ min: 0, max: 3 * HOUR_MS }), fc.integer({ min: 0, max: 40 * DAY_MS })),
    what: fc.constantFrom('keep', 'keep unpublished', 'rotate', 'revoke'),
    pick: fc.nat(50),
  }),
  { maxLength: 60 },
);

test('whatever happens and when: one key signs, one stands by, none is gone too early or comes back', () => {
  const check = (history: Act[]) => {
    const makeKey = fakeKeys();
    let now = START;
    let keyring = keepOnce(emptyKeyring('acme'), makeKey, now);
    const gone = new Set<string>();
    for (const act of history) {
      now += act.wait;
      const before = keyring;
      const victim = act.what === 'revoke' ? before.keys[act.pick % before.keys.length]?.kid : undefined;
      keyring = play(act, before, victim, makeKey, now);
      expectOneOfEach(keyring);
      expectKept(before, keyring, victim, now);
      expectBegun(before, keyring, victim);
      for (const { kid } of before.keys) if (!has(keyring, kid)) gone.add(kid);
      expect(keyring.keys.filter(({ kid }) => gone.has(kid))).toEqual([]);
    }
  };
  fc.assert(fc.property(acts, check), { numRuns: 300 });
});

const has = ({ keys }: Keyring, kid: string) => keys.some((key) => key.kid === kid);

function play(
  { what, pick }: Act,
  keyring: Keyring,
  victim: string | undefined,
  makeKey: ReturnType<typeof fakeKeys>,
  now: number,
): Keyring {
  const after = victim === undefined ? keyring : revokeKey(keyring, victim, 'test', now);
  const asked: Algorithm[] = what === 'rotate' ? [pick % 2 ? 'RS256' : 'ES256'] : [];
  return keepOnce(after, makeKey, now, { asked, isPublished: what !== 'keep unpublished' });
}

function expectOneOfEach(keyring: Keyring): void {
  for (const state of ['active', 'prepared'])
    expect(
      of(keyring, state)
        .map(({ alg }) => alg)
        .toSorted((a, b) => a.localeCompare(b)),
    ).toEqual(['ES256', 'RS256']);
  expect(JSON.stringify(publicKeySet(keyring))).not.toContain('private');
}

const ORDER = ['prepared', 'active', 'retired'];

function expectKept(before: Keyring, after: Keyring, victim: string | undefined, now: number): void {
  const left = before.keys.filter(({ kid }) => !has(after, kid));
  if (left.length > 0 || before.keys.length !== after.keys.length)
    expect(after.version).toBeGreaterThan(before.version);
  for (const key of left.filter(({ kid }) => kid !== victim))
    expect(now).toBeGreaterThanOrEqual(goneAt(key, RULES) ?? Infinity);
  for (const key of after.keys) {
    const old = before.keys.find(({ kid }) => kid === key.kid);
    if (!old || old.state === key.state) continue;
    expect(ORDER.indexOf(key.state)).toBe(ORDER.indexOf(old.state) + 1);
    if (key.state === 'active')
      expect(now - (old.publishedAt ?? Infinity)).toBeGreaterThanOrEqual(RULES.publishAheadMs);
  }
}

/** Only in the place of a revoked one does a key sign that was never a standby. */
function expectBegun(before: Keyring, after: Keyring, victim: string | undefined): void {
  for (const { alg } of of(after, 'active').filter(({ kid }) => !has(before, kid)))
    expect(before.keys.find(({ kid }) => kid === victim)).toMatchObject({ state: 'active', alg });
}
