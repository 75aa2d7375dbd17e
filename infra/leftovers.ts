import { spawnSync } from 'node:child_process';
import { setTimeout as wait } from 'node:timers/promises';
import type { Recorded } from './pid-file.ts';
import { isAlive } from './process-id.ts';

const GRACE_MILLISECONDS = 5_000;
const POLL_MILLISECONDS = 20;

/**
 * Ends a process that an earlier supervisor left: SIGTERM, and SIGKILL when that does not do in 5 seconds; throws when
 * it may not be ended, as for another user's. A process that only has the same number is left alone.
 */
export async function endLeftover(record: Recorded): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive(record)) break;
    send(record, signal);
    const deadline = Date.now() + GRACE_MILLISECONDS;
    while (isAlive(record) && Date.now() < deadline) await wait(POLL_MILLISECONDS);
  }
  if (isAlive(record)) throw new Error(`${record.name} of an earlier run (pid ${record.pid}) does not end`);
  clean(record);
}

/** Runs what ends the rest of a process that was killed: a container outlives its client. */
export function clean({ stop }: Pick<Recorded, 'stop'>): void {
  if (stop) spawnSync(stop.file, stop.args, { stdio: 'ignore' });
}

function send({ name, pid }: Recorded, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new Error(`${name} of an earlier run (pid ${pid}) may not be ended by this user`, { cause: error });
  }
}
