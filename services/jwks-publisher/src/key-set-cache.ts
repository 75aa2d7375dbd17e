import { mkdirSync, readFileSync, renameSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkPublishedKeySet, type PublishedKeySet } from '@mayfly/contracts/keys';

/** Keeps the last good key set of each source on a small volume, for a start without NATS. */
export type KeySetCache = {
  /** The kept key set of a source and when it was last confirmed (ms since 1970), undefined where there is none. */
  read(source: string): { keySet: PublishedKeySet; confirmedAt: number } | undefined;
  /** Keeps a key set. Throws where the volume cannot be written. */
  write(keySet: PublishedKeySet): void;
  /** Notes that the kept key set of a source still holds; writes at most once a minute. */
  confirm(source: string): void;
};

const CONFIRM_EVERY_MS = 60_000;

/** Takes a folder, or nothing; gives the cache in it, which without a folder keeps nothing. */
export function keySetCache(dir: string | undefined): KeySetCache {
  if (dir === undefined) return { read: () => undefined, write: () => undefined, confirm: () => undefined };
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const fileOf = (source: string) => join(dir, `${source}.json`);
  const noted = new Map<string, number>();
  return {
    read(source) {
      try {
        const keySet: unknown = JSON.parse(readFileSync(fileOf(source), 'utf8'));
        if (!checkPublishedKeySet.is(keySet) || keySet.source !== source) return undefined;
        return { keySet, confirmedAt: statSync(fileOf(source)).mtimeMs };
      } catch {
        return undefined;
      }
    },
    write(keySet) {
      const file = fileOf(keySet.source);
      writeFileSync(`${file}.new`, JSON.stringify(keySet), { mode: 0o600 });
      renameSync(`${file}.new`, file);
      noted.set(keySet.source, Date.now());
    },
    confirm(source) {
      const now = Date.now();
      if (now - (noted.get(source) ?? 0) < CONFIRM_EVERY_MS) return;
      utimesSync(fileOf(source), now / 1000, now / 1000);
      noted.set(source, now);
    },
  };
}
