import type { Readable, Writable } from 'node:stream';
import type { Environment } from './grant.ts';

/** What a command may touch of the process that it runs in. */
export type Surroundings = {
  env: Environment;
  workDirectory: string;
  stdin: Readable & { isTTY?: boolean };
  stdout: Writable & { isTTY?: boolean };
  stderr: Writable;
  /** How to run this program again, as words. */
  self: string[];
  /** Calls `handler` for each signal that reaches us, until the signal `until` is aborted. */
  onSignal(handler: (signal: NodeJS.Signals) => void, until: AbortSignal): void;
};

/** One subcommand: a line for the overview, its own help, and what it does; gives the exit code. */
export type Command = {
  summary: string;
  help: string;
  run(args: readonly string[], surroundings: Surroundings): Promise<number>;
};
