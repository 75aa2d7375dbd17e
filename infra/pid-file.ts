import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessId } from './process-id.ts';
import type { Command } from './server.ts';

/** A process of this folder: `stop` ends what it may leave behind. */
export type Recorded = ProcessId & { name: string; stop?: Command['stop'] };

/** The processes of one folder as its `pids.json` names them. */
export type PidFile = { read(): Recorded[]; write(records: Recorded[]): void; remove(): void };

/** Gives the `pids.json` of `dir`, written whole or not at all; its `read` throws on a file that it did not write. */
export function pidFile(dir: string): PidFile {
  const file = join(dir, 'pids.json');
  return {
    read() {
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as Recorded[];
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
      }
    },
    write(records) {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      const next = `${file}.${process.pid}`;
      writeFileSync(next, `${JSON.stringify(records, undefined, 2)}\n`, { mode: 0o600 });
      renameSync(next, file);
    },
    remove() {
      rmSync(file, { force: true });
    },
  };
}
