import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import { familySeconds } from './cpu.ts';

/** What something was measured on. */
export type Machine = { what: string; commit: string };

/** Says what this machine is and what it is doing. */
export function machine(servers: { nats: string; redis: string }): Machine {
  const cores = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const what = `${cores.length} cores (${cores[0]?.model.trim()}), ${memory}, Linux ${release()}, Node ${process.versions.node}, nats-server ${servers.nats}, redis-server ${servers.redis}, ${run('openssl', ['version'])}`;
  return { what, commit: commit() };
}

/** Gives how much of the cores is taken now, 0 to 1, over three seconds. */
export async function busyShare(): Promise<number> {
  const watched = watchOthers();
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  return watched();
}

/** Begins to watch; gives what says how much of the cores others have taken since, 0 to 1: asked when all children have ended. */
export function watchOthers(): () => number {
  const [before, ownBefore] = [times(), familySeconds()];
  return () => {
    const [after, own] = [times(), (familySeconds() - ownBefore) * 1000];
    const busy = after.all - before.all - (after.idle - before.idle);
    return Math.max(0, busy - own) / Math.max(after.all - before.all, 1);
  };
}

function times(): { idle: number; all: number } {
  const cores = cpus().map((core) => core.times);
  const sum = (values: number[]) => values.reduce((total, one) => total + one, 0);
  return {
    idle: sum(cores.map(({ idle }) => idle)),
    all: sum(cores.map((core) => sum(Object.values(core)))),
  };
}

const WATCHED_MS = 3000;

function commit(): string {
  const hash = run('git', ['rev-parse', '--short', 'HEAD']);
  return run('git', ['status', '--porcelain']) === '' ? hash : `${hash} with changes that are not committed`;
}

function run(file: string, args: string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}
