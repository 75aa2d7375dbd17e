import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fchmodSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { clean } from './leftovers.ts';
import type { Command } from './server.ts';

/** How a child ended: with a code or by a signal. */
export type Exit = { name: string; code: number | null; signal: NodeJS.Signals | null };

/** A child of ours; `stop` is SIGTERM and, after 10 seconds, SIGKILL, and resolves when the child has ended. */
export type Child = { name: string; pid: number; exited: Promise<Exit>; stop(): Promise<void> };

/** Where a child's lines go, to a file or to a function, and who hears that it ended without being asked to. */
export type Outlets = {
  logFile?: string;
  onLine?: (line: string) => void;
  onExit?: (exit: Exit) => void;
};

const GRACE_MILLISECONDS = 10_000;
/** A child sees its command's variables and these, so that a setting of someone's shell reaches none by chance. */
const INHERITED = /^(PATH|HOME|USER|LOGNAME|TMPDIR|LANG|LC_\w+|TZ|DOCKER_\w+|NODE_\w+|XDG_\w+)$/;

/**
 * Starts a program as a child in a process group of its own, where a terminal's Ctrl-C does not reach it: whoever
 * supervises ends its children in order. Throws when the program is not there.
 */
export function startChild(name: string, command: Command, outlets: Outlets = {}): Child {
  const running = launch(command, outlets);
  running.on('error', () => {});
  const { pid } = running;
  if (pid === undefined) throw new Error(`${name} does not start: ${command.file} is not a program`);

  let isAsked = false;
  const exited = once(running, 'exit').then(([code, signal]): Exit => {
    if (signal === 'SIGKILL') clean(command);
    const exit = { name, code, signal };
    if (!isAsked) outlets.onExit?.(exit);
    return exit;
  });
  const stop = async (): Promise<void> => {
    isAsked = true;
    await end(running, exited);
  };
  return { name, pid, exited, stop };
}

async function end(running: ChildProcess, exited: Promise<Exit>): Promise<void> {
  running.kill('SIGTERM');
  const timer = new AbortController();
  const late = wait(GRACE_MILLISECONDS, 'late', { signal: timer.signal }).catch(() => 'in time');
  if ((await Promise.race([exited, late])) === 'late') running.kill('SIGKILL');
  timer.abort();
  await exited;
}

function launch({ file, args, env }: Command, { logFile, onLine }: Outlets): ChildProcess {
  const inherited = Object.entries(process.env).filter(([key]) => INHERITED.test(key));
  const log = logFile === undefined ? undefined : openLog(logFile);
  const out = log ?? (onLine ? 'pipe' : 'ignore');
  // What a server makes in its folder is for its owner alone.
  const mask = process.umask(0o077);
  try {
    const running = spawn(file, args, {
      detached: true,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', out, out],
    });
    for (const stream of [running.stdout, running.stderr]) {
      if (stream && onLine) createInterface({ input: stream }).on('line', onLine);
    }
    return running;
  } finally {
    process.umask(mask);
    if (log !== undefined) closeSync(log);
  }
}

function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const log = openSync(file, 'a', 0o600);
  fchmodSync(log, 0o600);
  return log;
}
