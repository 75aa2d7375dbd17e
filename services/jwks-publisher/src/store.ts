import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPublishedKeySet, type PublishedKeySet } from '@mayfly/contracts/keys';

/** Keeps the last good key set of each source on a small volume, for a start without NATS. */
export type KeySetCache = {
  read(source: string): PublishedKeySet | undefined;
  write(keySet: PublishedKeySet): void;
};

/** Takes a folder, or nothing; gives the cache in it, which without a folder keeps nothing. */
export function keySetCache(dir: string | undefined): KeySetCache {
  if (dir === undefined) return { read: () => undefined, write: () => undefined };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const fileOf = (source: string) => join(dir, `${source}.json`);
  return {
    read(source) {
      try {
        const keySet: unknown = JSON.parse(readFileSync(fileOf(source), 'utf8'));
        return checkPublishedKeySet.is(keySet) && keySet.source === source ? keySet : undefined;
      } catch {
        return undefined;
      }
    },
    write(keySet) {
      const file = fileOf(keySet.source);
      writeFileSync(`${file}.new`, JSON.stringify(keySet), { mode: 0o600 });
      renameSync(`${file}.new`, file);
    },
  };
}
