import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** Where and when something was measured. */
export type Machine = { when: string; what: string; loadBefore: number; commit: string };

/** Says what this machine is and what it is doing. */
export function machine(servers: { nats: string; redis: string }): Machine {
  const cores = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const what = `${cores.length} cores (${cores[0]?.model.trim()}), ${memory}, Linux ${release()}, Node ${process.versions.node}, nats-server ${servers.nats}, redis-server ${servers.redis}, ${run('openssl', ['version'])}`;
  return { when: new Date().toISOString(), what, loadBefore: loadavg()[0] as number, commit: commit() };
}

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
