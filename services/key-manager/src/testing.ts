import { createHash } from 'node:crypto';
import type { Algorithm } from '@mayfly/contracts/signing';
import { pino } from 'pino';
import type { Keyring, NewKey } from './keyring.ts';
import { advance, due, markPublished } from './rotate.ts';
import type { RotationRules } from './rules.ts';
import type { Seal } from './seal.ts';
import type { KeyStore } from './store.ts';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** The rules that hold where mayfly.yaml says nothing. */
export const RULES: RotationRules = {
  publishAheadMs: 26 * HOUR_MS,
  rotateEveryMs: 30 * DAY_MS,
  leewayMs: 600_000,
  longestSeconds: 3600,
};

/** Gives keys that have the shape of real ones, and cost nothing. */
export function fakeKeys(maker = ''): (alg: Algorithm) => NewKey {
  let count = 0;
  return (alg) => {
    const kid = createHash('sha256').update(`${maker}${++count}`).digest('base64url');
    const jwk =
      alg === 'RS256'
        ? { kty: 'RSA', n: kid, e: 'AQAB', d: `private-${count}` }
        : { kty: 'EC', crv: 'P-256', x: kid, y: kid, d: `private-${count}` };
    return { kid, alg, jwk };
  };
}

/** Does to a keyring what is due now, as `keyrings.ts` does it; all its keys are then published. */
export function keepOnce(
  keyring: Keyring,
  makeKey: (alg: Algorithm) => NewKey,
  now: number,
  {
    rules = RULES,
    asked = [],
    isPublished = true,
  }: { rules?: RotationRules; asked?: Algorithm[]; isPublished?: boolean } = {},
): Keyring {
  const wanted = due(keyring, rules, now, asked);
  const fresh = [...wanted.begin, ...wanted.prepare].map(makeKey);
  const next = advance(keyring, wanted, fresh, rules, now);
  return isPublished ? markPublished(next, new Set(next.keys.map(({ kid }) => kid)), now) : next;
}

/** A key store in memory, that does what the real one does; `test/keys-contest.test.ts` holds it to that. */
export function memoryStore(time: () => number): KeyStore & { revision(): number } {
  const entries = new Map<string, { sealed: string; revision: number }>();
  const published = new Map<string, Parameters<KeyStore['publish']>[0]>();
  let last = 0;
  return {
    revision: () => last,
    state: async () => ({ created: 'once', revision: last, time: time() }),
    async changedAfter(revision) {
      const all = [...entries].map(([source, stored]) => ({ source, ...stored }));
      return all.filter((one) => one.revision > revision).sort((a, b) => a.revision - b.revision)[0];
    },
    read: async (source) => entries.get(source),
    async replace(source, sealed, revision) {
      if ((entries.get(source)?.revision ?? 0) !== revision) return undefined;
      entries.set(source, { sealed, revision: ++last });
      return last;
    },
    async publish(keySet) {
      const there = published.get(keySet.source);
      if (there && there.version >= keySet.version) return there;
      published.set(keySet.source, keySet);
      return keySet;
    },
  };
}

/** A seal that seals nothing. */
export const openSeal: Seal = {
  close: async (keyring) => JSON.stringify(keyring),
  open: async (_source, sealed) => JSON.parse(sealed) as Keyring,
  kid: 'open',
  isCurrent: () => true,
};

export const silent = pino({ level: 'silent' });
