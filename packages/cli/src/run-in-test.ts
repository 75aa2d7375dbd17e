import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished, vi } from 'vitest';
import type { StandInIssuer } from './stand-in-issuer.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

// Each of these tests starts processes, on machines that do other things too.
vi.setConfig({ testTimeout: 30_000 });

type Options = { env?: Record<string, string>; input?: string | undefined; cwd?: string };

/** Starts the real command in a process of its own, with no environment but what is given. */
export function startMayfly(args: string[], { env = {}, input, cwd }: Options = {}) {
  const runtimeDirectory = temporaryDirectory();
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], XDG_RUNTIME_DIR: runtimeDirectory, ...env },
    cwd: cwd ?? temporaryDirectory(),
  });
  // A test that fails half-way leaves no process behind.
  onTestFinished(() => void child.kill('SIGTERM'));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString('latin1');
    });
  }
  if (input !== undefined) child.stdin.end(input);
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: (code ?? signal) as number,
    ...output,
  }));
  return { child, output, ended, runtimeDirectory };
}

/** Runs the real command to its end. */
export async function runMayfly(args: string[], options: Options = {}) {
  const { ended, runtimeDirectory } = startMayfly(args, { input: '', ...options });
  return { ...(await ended), runtimeDirectory };
}

/** Waits until `holds` says yes; throws when it has not within ten seconds. */
export async function eventually(holds: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error('it did not come to pass within ten seconds');
    await delay(10);
  }
}

/** A directory that is gone when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-test-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Arguments by which a step runs a piece of JavaScript. */
export function script(code: string): string[] {
  return ['--', process.execPath, '-e', code];
}

/** The environment of a runner that was given a grant. */
export function given({ requestUrl, requestToken }: StandInIssuer) {
  return { MAYFLY_ID_TOKEN_REQUEST_URL: requestUrl, MAYFLY_ID_TOKEN_REQUEST_TOKEN: requestToken };
}
