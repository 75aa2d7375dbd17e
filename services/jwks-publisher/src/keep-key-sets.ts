import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { type Policy, publishAheadSeconds } from '@mayfly/contracts/policy';
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
  /** The version of each source that the cache holds. */
  const keptVersions = new Map<string, number>();
  for (const source of Object.keys(policy.sources)) {
    const kept = cache.read(source);
    if (!kept) continue;
    keptVersions.set(source, kept.keySet.version);
    sets.acceptKept(kept.keySet, kept.confirmedAt + publishAheadSeconds(policy, source) * 1000);
  }
  /** Confirms what is kept where it is this one, and else writes it, until it could be written. */
  const keep = (keySet: PublishedKeySet) => {
    const { source, version } = keySet;
    try {
      if (keptVersions.get(source) === version) cache.confirm(source);
      else cache.write(keySet);
      keptVersions.set(source, version);
    } catch (error) {
      keptVersions.delete(source);
      log.warn({ err: error, source }, 'key set not kept');
    }
  };
  const accept = (keySet: PublishedKeySet) => {
    const { source, version, keys } = keySet;
    const isNew = sets.accept(keySet);
    if (sets.get(source)?.version === version) keep(keySet);
    if (isNew) log.info({ source, version, kids: keys.map(({ kid }) => kid) }, 'key set served');
  };
  return { sets, accept };
}
