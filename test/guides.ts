import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

const ROOT = join(import.meta.dirname, '..');

/** The code blocks of a guide, by the file name in the first lines of each. */
export function codeOf(guide: string): Record<string, string> {
  const text = readFileSync(join(ROOT, 'docs', guide), 'utf8');
  const blocks = [...text.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);
  const named = blocks.flatMap((code) => {
    const [, name] = /^(?:#!.*\n)?(?:\/\/|#) ([\w.-]+)\n/.exec(code) ?? [];
    return name === undefined ? [] : [[name, code] as const];
  });
  return Object.fromEntries(named);
}

/** How many lines of a block are code. */
export function linesOf(code: string): number {
  return code.split('\n').filter((line) => line.trim() !== '' && !/^(import |\/\/|#|set -eu)/.test(line))
    .length;
}

/** A place in which a guide is followed: its files as they stand, `mayfly` on PATH, packages installed. */
export type Followed = {
  /** Runs a command there, in a process group of its own: what a CI system cancels. */
  run(command: string[], env: Record<string, string>): ChildProcess;
  directory: string;
};

/** Writes the files of a guide into a directory of their own, which is gone when the test is over. */
export function followGuide(guide: string): Followed {
  const directory = mkdtempSync(join(tmpdir(), 'mayfly-guide-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [name, code] of Object.entries(codeOf(guide))) {
    writeFileSync(join(directory, name), code);
    chmodSync(join(directory, name), 0o755);
  }
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const main = join(ROOT, 'packages', 'cli', 'src', 'main.ts');
  const mayfly = join(directory, 'mayfly');
  writeFileSync(mayfly, `#!/bin/sh\nexec ${process.execPath} ${main} "$@"\n`, { mode: 0o755 });
  const PATH = [directory, dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
  return {
    directory,
    run: ([file = '', ...args], env) =>
      spawn(file, args, {
        ...{ cwd: directory, env: { PATH, ...env }, detached: true },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
  };
}

/** Waits for the end of a process; gives its code and all that it said. */
export async function endOf(child: ChildProcess): Promise<{ code: number; output: string }> {
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const [code] = await once(child, 'close');
  return { code: code as number, output };
}
