import type { Algorithm } from '@mayfly/contracts/signing';
import type { Logger } from 'pino';
import type { KeyCustody } from './custody.ts';
import { emptyKeyring, type Keyring, type NewKey, publicKeySet } from './keyring.ts';
import { advance, due, isAnythingDue, markPublished } from './rotate.ts';
import type { RotationRules } from './rules.ts';
import type { Seal } from './seal.ts';
import type { KeyStore } from './store.ts';

/** What replicas share, and the time (ms since 1970). */
export type Shared = {
  store: Pick<KeyStore, 'read' | 'replace' | 'publish'>;
  seal: Seal;
  custody: Pick<KeyCustody, 'generate'>;
  rules(source: string): RotationRules;
  log: Logger;
  now(): number;
  /** The newest keyring of a source that was ever read here. */
  newest?(source: string): Keyring | undefined;
};

/** What a change asks for: what the keyring becomes before what is due is done, and what is asked to rotate. */
export type Change = { keyring: Keyring; asked?: readonly Algorithm[] };

/**
 * Brings the keyring of a source to what is due now, and publishes its key set; gives the keyring. Any number of
 * replicas may do so at once: each change is made by one of them, and none undoes another's. Throws where NATS fails.
 */
export async function keepKeyring(source: string, shared: Shared): Promise<Keyring> {
  const keyring = await changeKeyring(source, shared, (now) => ({ keyring: now }));
  return await publishKeyring(keyring, shared);
}

/**
 * Changes the keyring of a source by compare-and-set: reads, decides, writes, and begins anew where another replica was
 * faster. Gives the keyring as it is then. Throws what `decide` throws.
 */
export async function changeKeyring(
  source: string,
  shared: Shared,
  decide: (keyring: Keyring) => Change,
): Promise<Keyring> {
  for (;;) {
    const { before, stored, revision, isCurrent } = await readKeyring(source, shared);
    const after = await nextKeyring(before, decide(before), shared);
    if (after === stored && isCurrent) return before;
    if ((await shared.store.replace(source, await shared.seal.close(after), revision)) === undefined)
      continue;
    logChanges(before, after, shared.log);
    if (!isCurrent) shared.log.info({ source, kek: shared.seal.kid }, 'keyring resealed');
    return after;
  }
}

/** Writes and publishes again the newest keyring of a source that was ever read, where the store holds an older one. */
export async function restoreKeyring(source: string, shared: Shared): Promise<void> {
  await publishKeyring(await changeKeyring(source, shared, (newest) => ({ keyring: newest })), shared);
}

/**
 * Reads the keyring of a source from the leader: as it is stored, and whether that is sealed under the first key; and as it was
 * before a change, which is newer where the store went back.
 */
export async function readKeyring(source: string, shared: Pick<Shared, 'store' | 'seal' | 'newest' | 'log'>) {
  const there = await shared.store.read(source);
  if (!there) {
    const none = emptyKeyring(source);
    return { before: none, stored: none, revision: 0, isCurrent: true };
  }
  const { sealed, revision } = there;
  const stored = await shared.seal.open(source, sealed, revision);
  return { before: newestOf(stored, shared), stored, revision, isCurrent: shared.seal.isCurrent(sealed) };
}

/** Does what is due, beside what the change itself is; gives the same keyring where there is nothing to do. */
async function nextKeyring(
  before: Keyring,
  { keyring, asked }: Change,
  { custody, rules, now }: Shared,
): Promise<Keyring> {
  const { source } = before;
  const wanted = due(keyring, rules(source), now(), asked);
  if (!isAnythingDue(wanted)) return keyring;
  const fresh: NewKey[] = [];
  for (const alg of [...wanted.begin, ...wanted.prepare]) fresh.push(await custody.generate(alg));
  return advance(keyring, wanted, fresh, rules(source), now());
}

/** Publishes the key set of a keyring, then notes in the keyring since when its keys are public; gives the keyring. */
export async function publishKeyring(keyring: Keyring, shared: Shared): Promise<Keyring> {
  const published = await shared.store.publish(publicKeySet(keyring));
  if (keyring.keys.every(({ publishedAt }) => publishedAt !== undefined)) return keyring;
  const kids = new Set(published.keys.map(({ kid }) => kid));
  return await changeKeyring(keyring.source, shared, (now) => {
    const isNews = now.keys.some(({ kid, publishedAt }) => publishedAt === undefined && kids.has(kid));
    return { keyring: isNews ? markPublished(now, kids, shared.now()) : now };
  });
}

/** What the store holds, or what was read here before if that is newer: a power cut or a backup brings back what was revoked. */
function newestOf(stored: Keyring, { newest, log }: Pick<Shared, 'newest' | 'log'>): Keyring {
  const { source, version } = stored;
  const known = newest?.(source);
  if (known === undefined || known.version <= version) return stored;
  log.error({ source }, 'the stored keyring is older than one that was read before, which is written again');
  return known;
}

function logChanges(before: Keyring, after: Keyring, log: Logger): void {
  const { source } = after;
  const known = new Map(before.keys.map(({ kid, state }) => [kid, state]));
  for (const { kid, alg, state } of after.keys) {
    if (known.get(kid) !== state) log.info({ source, kid, alg }, MESSAGES[state]);
  }
  const left = new Set([...after.keys, ...after.revoked].map(({ kid }) => kid));
  for (const { kid, alg } of before.keys) {
    if (!left.has(kid)) log.info({ source, kid, alg }, 'key gone');
  }
}

const MESSAGES = { prepared: 'key prepared', active: 'key activated', retired: 'key retired' } as const;
