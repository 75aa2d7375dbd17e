import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A program of the benchmark in a process of its own: each job is one line to it, each result one line back. */
export type Program = AsyncDisposable & {
  pid: number;
  ask<T>(job: object): Promise<T>;
};

type Line = { result?: unknown; error?: string };

/** Starts a program that lies beside this file. */
export function startProgram(file: string, execArgv: readonly string[] = []): Program {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [...execArgv, path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const { pid } = child;
  if (pid === undefined) throw new Error(`${file} does not start`);
  return {
    pid,
    async ask<T>(job: object) {
      child.stdin.write(`${JSON.stringify(job)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`${file} ended`);
      const { result, error } = JSON.parse(value) as Line;
      if (error !== undefined) {
        await end(child);
        throw new Error(`${file}: ${error}`);
      }
      return result as T;
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
  await exited;
  clearTimeout(timer);
}

/** In a program: answers each job in turn until there are no more, then closes. */
export async function answerJobs<J>(
  answer: (job: J) => Promise<unknown>,
  close: () => unknown,
): Promise<void> {
  for await (const line of createInterface({ input: process.stdin })) {
    const reply: Line = await answer(JSON.parse(line) as J).then(
      (result) => ({ result }),
      (error: unknown) => ({
        error: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
    );
    process.stdout.write(`${JSON.stringify(reply)}\n`);
  }
  await close();
}
