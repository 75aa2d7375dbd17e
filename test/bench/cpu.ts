import { readFileSync } from 'node:fs';

const TICKS_A_SECOND = 100;

/** Gives the CPU time that these processes have taken so far, all threads, user and kernel, seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + ticksOf(pid), 0) / TICKS_A_SECOND;
}

/** Gives the CPU time of this process and of all that it started and has seen end, seconds. */
export function familySeconds(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0) / TICKS_A_SECOND;
}

function ticksOf(pid: number): number {
  try {
    // proc(5): the name may hold spaces; utime and stime are the 14th and 15th fields.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0;
  }
}
