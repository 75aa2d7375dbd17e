import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import inspector from 'node:inspector';

/** Options of Node that open the memory of this process, or write it to a file. */
const OPENING =
  /(^|\s)--(inspect|heapsnapshot|heap-prof|report-|diagnostic-dir|abort-on-uncaught|prof|experimental-network-inspection)/;

/** What of the environment this needs: the options that Node was started with. */
export type Started = { execArgv: readonly string[]; nodeOptions: string | undefined };

/**
 * Closes the ways by which the memory of this process, and the private keys in it, could leave it: no inspector, also
 * not by SIGUSR1, and no core dump. Throws a TypeError where an inspector or a dump is asked for at start. Gives what
 * could not be closed here, for the log.
 */
export function harden({ execArgv, nodeOptions = '' }: Started): string[] {
  if (inspector.url() !== undefined || OPENING.test([...execArgv, nodeOptions].join(' ')))
    throw new TypeError(
      'settings: key-manager does not run with an inspector, snapshots, profiles or reports',
    );
  // Node opens its inspector on this signal unless someone listens; `--disable-sigusr1` covers the time before this.
  process.on('SIGUSR1', () => undefined);
  if (process.platform !== 'linux') return ['core dumps'];
  return isClosed(closeDumps) ? [] : ['core dumps'];
}

/** Leaves nothing of the memory in a dump (core(5)), and then no dump at all, where util-linux is there to say so. */
function closeDumps(): boolean {
  writeFileSync('/proc/self/coredump_filter', '0');
  if (!/^Max core file size +0 +0 /m.test(limits()))
    isClosed(() =>
      execFileSync('prlimit', ['--pid', String(process.pid), '--core=0:0'], { stdio: 'ignore' }),
    );
  return Number.parseInt(readFileSync('/proc/self/coredump_filter', 'utf8'), 16) === 0;
}

const limits = () => readFileSync('/proc/self/limits', 'utf8');

function isClosed(close: () => unknown): boolean {
  try {
    return close() !== false;
  } catch {
    return false;
  }
}
