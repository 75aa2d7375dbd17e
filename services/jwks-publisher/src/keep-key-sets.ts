import { durationSeconds } from '@mayfly/contracts/duration';
import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { KEYS_DEFAULTS, type Policy } from '@mayfly/contracts/policy';
import type { Logger } from 'pino';
import { keySetCache } from './key-set-cache.ts';
import { type KeySets, keySets } from './key-sets.ts';

/**
 * Takes the policy and the folder of the cache; gives the key sets, with what was kept of them, and what takes in those
 * that `key-manager` publishes. A kept one serves for at most `publish_ahead`: no key that it lacks signs before then.
 */
export function keepKeySets(
  policy: Policy,
  cacheDir: string | undefined,
  log: Logger,
): { sets: KeySets; accept(keySet: PublishedKeySet): void } {
  const sets = keySets(Object.keys(policy.sources), Date.now);
  const cache = keySetCache(cacheDir);
  for (const [source, { keys }] of Object.entries(policy.sources)) {
    const kept = cache.read(source);
    const ahead = keys?.publish_ahead ?? policy.keys?.publish_ahead ?? KEYS_DEFAULTS.publish_ahead;
    if (kept) sets.acceptKept(kept.keySet, kept.confirmedAt + durationSeconds(ahead) * 1000);
  }
  const keep = (source: string, act: () => void) => {
    try {
      act();
    } catch (error) {
      log.warn({ err: error, source }, 'key set not kept');
    }
  };
  const accept = (keySet: PublishedKeySet) => {
    const { source, version, keys } = keySet;
    const isNew = sets.accept(keySet);
    if (isNew) {
      keep(source, () => cache.write(keySet));
      log.info({ source, version, kids: keys.map(({ kid }) => kid) }, 'key set served');
    } else if (sets.get(source)?.version === version) keep(source, () => cache.confirm(source));
  };
  return { sets, accept };
}
