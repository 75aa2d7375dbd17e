import type { Algorithm } from '@mayfly/contracts/signing';
import {
  ALGORITHMS,
  activeKey,
  type Keyring,
  type NewKey,
  type SigningKey,
  signsForSeconds,
} from './keyring.ts';
import type { RotationRules } from './rules.ts';

/** What has to happen to a keyring now. */
export type Due = {
  /** Algorithms without an active key: a new one signs at once, one that nobody has ever seen. */
  begin: Algorithm[];
  /** Algorithms without a standby. */
  prepare: Algorithm[];
  /** Standbys that become active; the active key of their algorithm retires. */
  activate: string[];
  /** Retired keys that nothing needs any more. */
  remove: string[];
  /** Whether active keys have to be known to sign for longer than so far. */
  lengthen: boolean;
};

/**
 * Takes a keyring, its rules, the time and the algorithms that an operator wants rotated; gives what is due. A standby
 * is activated only once it has been published for `publishAhead`.
 */
export function due(
  keyring: Keyring,
  rules: RotationRules,
  now: number,
  asked: readonly Algorithm[] = [],
): Due {
  const activated = ALGORITHMS.map((alg) => nextActive(keyring, alg, rules, now, asked.includes(alg)));
  const activate = activated.filter((key) => key !== undefined);
  const standbys = keyring.keys.filter((key) => key.state === 'prepared' && !activate.includes(key));
  return {
    begin: ALGORITHMS.filter((alg) => !activeKey(keyring, alg)),
    prepare: ALGORITHMS.filter((alg) => !standbys.some((key) => key.alg === alg)),
    activate: activate.map(({ kid }) => kid),
    remove: keyring.keys.filter((key) => now >= (goneAt(key, rules) ?? Infinity)).map(({ kid }) => kid),
    lengthen: keyring.keys.some((key) => key.state === 'active' && signsTooShort(key, rules)),
  };
}

/** Says whether anything is due. */
export function isAnythingDue({ begin, prepare, activate, remove, lengthen }: Due): boolean {
  return lengthen || [begin, prepare, activate, remove].some((list) => list.length > 0);
}

/** Takes what is due and a new key for each algorithm in `begin` and `prepare`, in that order; gives the next keyring. */
export function advance(
  keyring: Keyring,
  { begin, prepare, activate, remove }: Due,
  fresh: readonly NewKey[],
  rules: RotationRules,
  now: number,
): Keyring {
  const isReplaced = (alg: Algorithm) =>
    keyring.keys.some((key) => key.alg === alg && activate.includes(key.kid));
  const kept = keyring.keys
    .filter(({ kid }) => !remove.includes(kid))
    .map((key): SigningKey => {
      if (activate.includes(key.kid)) return activated(key, rules, now);
      if (key.state !== 'active') return key;
      if (isReplaced(key.alg)) return { ...key, state: 'retired', retiredAt: now };
      return signsTooShort(key, rules) ? { ...key, signsForSeconds: rules.longestSeconds } : key;
    });
  const made = fresh.map((key, index): SigningKey => {
    const prepared: SigningKey = { ...key, state: 'prepared', preparedAt: now };
    return index < begin.length ? activated(prepared, rules, now) : prepared;
  });
  if (fresh.length !== begin.length + prepare.length) throw new TypeError('a new key is missing');
  const isPublic = made.length + remove.length > 0;
  return { ...keyring, version: isPublic ? later(keyring, now) : keyring.version, keys: [...kept, ...made] };
}

/** Takes the kids of a key set that is published now; gives the keyring that knows it. */
export function markPublished(keyring: Keyring, kids: ReadonlySet<string>, now: number): Keyring {
  const keys = keyring.keys.map((key) =>
    key.publishedAt === undefined && kids.has(key.kid) ? { ...key, publishedAt: now } : key,
  );
  return { ...keyring, keys };
}

/** Takes a kid and why; gives the keyring without that key, which then lacks what `due` says. */
export function revokeKey(keyring: Keyring, kid: string, reason: string, now: number): Keyring {
  const key = keyring.keys.find((one) => one.kid === kid);
  if (!key) throw new TypeError('the keyring has no such key');
  const kept = keyring.revoked.filter(({ at }) => now - at < REVOKED_KEPT_MS).slice(-(MAX_REVOKED - 1));
  return {
    ...keyring,
    version: later(keyring, now),
    keys: keyring.keys.filter((one) => one !== key),
    revoked: [...kept, { kid, alg: key.alg, at: now, reason }],
  };
}

/** When a prepared key may become active, ms since 1970; undefined where it is not published yet. */
export function activeFrom(key: SigningKey, { publishAheadMs }: RotationRules): number | undefined {
  return key.publishedAt === undefined ? undefined : key.publishedAt + publishAheadMs;
}

/** When a retired key is gone, ms since 1970: all it signed has expired, for the slowest clock. */
export function goneAt(key: SigningKey, { leewayMs }: RotationRules): number | undefined {
  return key.retiredAt === undefined ? undefined : key.retiredAt + signsForSeconds(key) * 1000 + leewayMs;
}

const REVOKED_KEPT_MS = 90 * 86_400_000;
const MAX_REVOKED = 100;

function nextActive(
  keyring: Keyring,
  alg: Algorithm,
  rules: RotationRules,
  now: number,
  isAsked: boolean,
): SigningKey | undefined {
  const active = activeKey(keyring, alg);
  const isOld = active && now - (active.activatedAt ?? now) >= rules.rotateEveryMs;
  if (!active || !(isOld || isAsked)) return undefined;
  return keyring.keys.find(
    (key) => key.alg === alg && key.state === 'prepared' && now >= (activeFrom(key, rules) ?? Infinity),
  );
}

const activated = (key: SigningKey, rules: RotationRules, now: number): SigningKey => ({
  ...key,
  state: 'active',
  activatedAt: now,
  signsForSeconds: rules.longestSeconds,
});

const signsTooShort = (key: SigningKey, { longestSeconds }: RotationRules) =>
  signsForSeconds(key) < longestSeconds;

/** Also after all was lost and begun anew, a newer key set has a higher version. */
const later = ({ version }: Keyring, now: number) => Math.max(version + 1, now);
