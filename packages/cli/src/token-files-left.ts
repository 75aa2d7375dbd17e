import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const PREFIX = 'mayfly-';
const NAME = /^mayfly-([0-9]+)-([0-9]+)-([0-9a-f]{8})-\w{6}$/;

/** What the name of a directory of token files begins with: it tells which process it belongs to. */
export function ownedPrefix(): string {
  const [started, world] = [runningSince(process.pid), ownWorld()];
  return started === undefined || world === undefined
    ? PREFIX
    : `${PREFIX}${process.pid}-${started}-${world}-`;
}

/** Removes our user's directories of token files whose process is gone without having done so: it was killed. */
export function removeLeft(places: readonly string[]): void {
  const world = ownWorld();
  for (const place of places) {
    for (const name of namesIn(place)) {
      const [, pid = '', started, of] = NAME.exec(name) ?? [];
      // Of another machine or container, with whom we share the place, we cannot tell.
      if (of === undefined || of !== world || runningSince(Number(pid)) === started) continue;
      removeOurs(join(place, name));
    }
  }
}

function namesIn(place: string): string[] {
  try {
    return readdirSync(place);
  } catch {
    return [];
  }
}

function removeOurs(directory: string): void {
  try {
    const found = lstatSync(directory);
    if (found.isDirectory() && found.uid === process.getuid?.())
      rmSync(directory, { recursive: true, force: true });
  } catch {
    // Another one of us was quicker.
  }
}

const STATE = 0;
const START_TIME = 19;

/** When a process started (proc_pid_stat(5)), which tells it from a later one of its number; undefined if it is none. */
function runningSince(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name before may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[STATE] === 'Z' || fields[STATE] === 'X' ? undefined : fields[START_TIME];
  } catch {
    return undefined;
  }
}

/** What the numbers of processes are numbers of: this boot of this machine, and the namespace of this container. */
function ownWorld(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1');
    const numbers = readlinkSync('/proc/self/ns/pid');
    return createHash('sha256').update(`${boot} ${numbers}`).digest('hex').slice(0, 8);
  } catch {
    return undefined;
  }
}
