import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestSystem } from './system.ts';

/** A small disk of its own under the data of one server. */
export type SmallDisk = AsyncDisposable & {
  /** Leaves no room: a file takes what is left. */
  fill(): void;
  /** Makes room again. */
  free(): void;
  /** Lets nobody write any more, or again; only while no server runs on it. */
  mountAs(mode: 'ro' | 'rw'): void;
};

/** Says why no disk can be mounted here; undefined where one can. */
export function whyNoDisk(): string | undefined {
  if (process.env['MAYFLY_TEST_ENGINE'] === 'containers') return 'the servers run in containers';
  if (process.getuid?.() !== 0) return 'only root mounts a disk';
  const place = mkdtempSync(join(tmpdir(), 'mayfly-disk-'));
  try {
    const { status, stderr } = spawnSync('mount', mountArgs(place, 1), { encoding: 'utf8' });
    if (status !== 0) return `mount refuses: ${stderr.trim()}`;
    execFileSync('umount', ['-l', place]);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** Stops a server, puts its data on a disk of that many MiB, and starts it again. */
export async function onSmallDisk(
  system: TestSystem,
  server: 'nats' | 'redis',
  mib: number,
): Promise<SmallDisk> {
  const data = join(dirname(dirname(system.secretFile('any'))), 'data', server);
  await system.stop(server);
  const aside = mkdtempSync(join(tmpdir(), 'mayfly-disk-'));
  cpSync(data, aside, { recursive: true });
  execFileSync('mount', mountArgs(data, mib));
  cpSync(aside, data, { recursive: true });
  rmSync(aside, { recursive: true });
  await system.start(server);
  const ballast = join(data, 'ballast');
  const free = () => rmSync(ballast, { force: true });
  return {
    fill() {
      // Twice: what was being written while the first took the rest.
      for (const file of [ballast, ballast]) fillUp(file);
    },
    free,
    mountAs: (mode) => void execFileSync('mount', ['-o', `remount,${mode}`, data]),
    async [Symbol.asyncDispose]() {
      free();
      // The server goes on with the files that it has open; nothing is in the way of removing the folder.
      execFileSync('umount', ['-l', data]);
    },
  };
}

function mountArgs(place: string, mib: number): string[] {
  return ['-t', 'tmpfs', '-o', `size=${mib}m,mode=0700`, 'mayfly-test', place];
}

function fillUp(file: string): void {
  const block = Buffer.alloc(4096);
  try {
    for (;;) writeFileSync(file, block, { flag: 'a' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}
