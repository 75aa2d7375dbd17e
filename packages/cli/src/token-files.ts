import { randomUUID } from 'node:crypto';
import { mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { CommandError } from './exit-codes.ts';
import { ownedPrefix, removeLeft } from './token-files-left.ts';

/** A private directory for the files of one step. */
export type TokenFiles = {
  directory: string;
  /** Writes the file by rename, so that who reads it sees the old or the new one, whole. Gives its path. */
  write(name: string, content: string): string;
  /** Removes everything. */
  remove(): void;
};

type Places = { runtimeDirectory: string | undefined; workDirectory: string };

/** Makes the directory, and removes what killed ones left: in memory where there is such a place, and never below the work directory. */
export function openTokenFiles({ runtimeDirectory, workDirectory }: Places): TokenFiles {
  const places = [runtimeDirectory, '/dev/shm', tmpdir()].filter((place) => place !== undefined);
  removeLeft(places);
  const directory = makePrivate(places, workDirectory);
  return {
    directory,
    write(name, content) {
      const path = join(directory, name);
      const draft = join(directory, `.${randomUUID()}`);
      try {
        writeFileSync(draft, content, { mode: 0o600, flag: 'wx' });
        renameSync(draft, path);
      } catch (cause) {
        rmSync(draft, { force: true });
        const { code } = cause as NodeJS.ErrnoException;
        throw new CommandError(
          'configuration',
          `a token file cannot be written in ${directory} (${code}): make room there`,
        );
      }
      return path;
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** The longest path of a socket that every system takes, bytes, and what stands behind the place in ours. */
const LONGEST_SOCKET_PATH = 103;
const SOCKET_SUFFIX = 'XXXXXX/mask.sock';

function makePrivate(places: string[], workDirectory: string): string {
  const hasRoom = (place: string) =>
    Buffer.byteLength(join(place, ownedPrefix() + SOCKET_SUFFIX)) <= LONGEST_SOCKET_PATH;
  for (const place of places.toSorted((one, other) => Number(hasRoom(other)) - Number(hasRoom(one)))) {
    if (!place || isBelow(place, workDirectory)) continue;
    try {
      return mkdtempSync(join(place, ownedPrefix()));
    } catch {}
  }
  throw new CommandError(
    'configuration',
    'there is no place for token files outside the work directory: set XDG_RUNTIME_DIR or TMPDIR to a private one',
  );
}

function isBelow(place: string, workDirectory: string): boolean {
  try {
    const work = realpathSync(workDirectory);
    // Where an image names no work directory it is `/`: nobody keeps what is there as the result of a step.
    if (work === '/') return false;
    const way = relative(work, realpathSync(place));
    return way === '' || !(way === '..' || way.startsWith('../'));
  } catch {
    return false;
  }
}
