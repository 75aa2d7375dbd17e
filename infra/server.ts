import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** What to run: a program, its arguments, and what its environment needs; `stop` ends what a SIGKILL would leave. */
export type Command = {
  file: string;
  args: string[];
  env?: Record<string, string>;
  stop?: { file: string; args: string[] };
};

/** A server that this machine can run; `command` gives what to spawn for a config file that lies in `dir`. */
export type Server = {
  version: string;
  from: 'MAYFLY_NATS_SERVER' | 'MAYFLY_REDIS_SERVER' | 'PATH' | 'cache' | 'Debian packages' | 'Docker';
  command(config: string, dir: string, ports: number[]): Command;
};

/** What Mayfly asks of a server's binary, and how that binary takes its config file. */
export type Kind = {
  name: 'nats-server' | 'redis-server';
  override: 'MAYFLY_NATS_SERVER' | 'MAYFLY_REDIS_SERVER';
  minimum: string;
  reason: string;
  configArgs(config: string): string[];
};

/** Where a program runs, what is added to its environment, and when it is given up. */
export type RunOptions = { cwd?: string; env?: Record<string, string>; timeout?: number };

/** Runs a program to its end and gives what it printed; throws with the last lines of its errors. */
export type Run = (file: string, args: string[], options?: RunOptions) => Promise<string>;

const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** JetStream lost whole streams in a crash from 2.10.20 to 2.10.22, and Debian 12's 2.9 lacks what the config says. */
export const NATS: Kind = {
  name: 'nats-server',
  override: 'MAYFLY_NATS_SERVER',
  minimum: '2.10.27',
  reason: 'older ones are not tried, and those before 2.10.23 can lose a stream when they crash',
  configArgs: (config) => ['-c', config],
};

/** The projections are written by Redis functions. */
export const REDIS: Kind = {
  name: 'redis-server',
  override: 'MAYFLY_REDIS_SERVER',
  minimum: '7.0.0',
  reason: 'older ones have no functions',
  configArgs: (config) => [config],
};

/** Gives a `Run` whose programs have `base` as their environment, and end when `signal` is aborted. */
export function runner(base: NodeJS.ProcessEnv, signal?: AbortSignal): Run {
  return async (file, args, { cwd, env, timeout } = {}) => {
    try {
      const options = { cwd, timeout, signal, env: { ...base, ...env }, maxBuffer: MAX_OUTPUT_BYTES };
      const { stdout } = await promisify(execFile)(file, args, options);
      return stdout;
    } catch (error) {
      signal?.throwIfAborted();
      const printed = (error as { stderr?: string }).stderr?.trim().split('\n').slice(-3).join('; ');
      throw new Error(printed || (error as Error).message, { cause: error });
    }
  };
}

/**
 * Gives the version that `file args --version` prints, or undefined when it does not run or prints none. Throws when it
 * was aborted: nothing is known of it then.
 */
export async function readVersion(
  run: Run,
  { file, args = [], env = {} }: { file: string; args?: string[]; env?: Record<string, string> },
): Promise<string | undefined> {
  const printed = await run(file, [...args, '--version'], { env }).catch((error: Error) => {
    if (error.name === 'AbortError') throw error;
    return '';
  });
  return /\bv=?(\d+\.\d+\.\d+)/.exec(printed)?.[1];
}

/** Says whether `version` is below `minimum`, both of them three numbers with dots. */
export function isOlder(version: string, minimum: string): boolean {
  return version.localeCompare(minimum, 'en', { numeric: true }) < 0;
}

/** Gives the server that is the binary `file`. */
export function binaryServer(
  kind: Kind,
  from: Server['from'],
  version: string,
  { file, env }: { file: string; env?: Record<string, string> },
): Server {
  const command = (config: string): Command => ({ file, args: kind.configArgs(config), ...(env && { env }) });
  return { version, from, command };
}
