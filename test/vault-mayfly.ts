import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

const MAIN = join(import.meta.dirname, '..', 'packages', 'cli', 'src', 'main.ts');

type Options = { env?: Record<string, string>; input?: string; cwd?: string };

/** Starts the real `mayfly` command, with no environment but what is given. */
export function startMayfly(args: string[], { env = {}, input = '', cwd = workDirectory() }: Options = {}) {
  const runtime = temporary('mayfly-runtime-');
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], XDG_RUNTIME_DIR: runtime, ...env },
    cwd,
  });
  // A test that fails half-way leaves no process behind.
  const end = () => child.kill('SIGTERM');
  process.once('exit', end);
  child.once('close', () => process.off('exit', end));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (chunk: string) => {
      output[name] += chunk;
    });
  }
  child.stdin.on('error', () => {}).end(input);
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, ...output }));
  return { child, output, ended, runtime };
}

/** Runs the real `mayfly` command to its end. */
export async function runMayfly(args: string[], options: Options = {}) {
  return await startMayfly(args, options).ended;
}

const made: string[] = [];
// Not when a test is over: of tests that run at the same time it is not known which one that is.
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true, force: true });
});

/** A directory of the test's own, which is gone when the tests of its file are over. */
export function workDirectory(): string {
  return temporary('mayfly-work-');
}

function temporary(prefix: string): string {
  const directory = mkdtempSync(join(tmpdir(), prefix));
  made.push(directory);
  return directory;
}
