import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one with the same number. */
export type ProcessId = { pid: number; started: string };

/** Gives the identity of the process `pid`, or undefined when it has ended, reaped by its parent or not. */
export function identify(pid: number): ProcessId | undefined {
  const found = process.platform === 'linux' ? readProc(pid) : askPs(pid);
  if (found === undefined || found.state.startsWith('Z') || found.state.startsWith('X')) return undefined;
  return { pid, started: found.started };
}

/** Says whether the process of `id` runs still. */
export function isAlive(id: ProcessId): boolean {
  return identify(id.pid)?.started === id.started;
}

/** proc_pid_stat(5): the name, field 2, may hold spaces and brackets; the state is field 3, the start time field 22. */
function readProc(pid: number): { state: string; started: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', started: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}

function askPs(pid: number): { state: string; started: string } | undefined {
  try {
    const env = { ...process.env, LC_ALL: 'C' };
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
      env,
    }).trim();
    const [state = '', ...started] = line.split(/\s+/);
    return { state, started: started.join(' ') };
  } catch {
    return undefined;
  }
}
