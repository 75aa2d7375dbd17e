import { spawnSync } from 'node:child_process';
import type { Surroundings } from './command.ts';

type Terminals = Pick<Surroundings, 'stdin' | 'stdout' | 'stderr'>;

/**
 * Takes a command that is run at a terminal; gives one that runs it on a terminal of its own, whose output comes to us:
 * masking needs to stand between the two. Undefined where there is no terminal, or no `script` of util-linux to make one.
 */
export function onTerminal(
  command: readonly string[],
  environment: NodeJS.ProcessEnv,
  { stdin, stdout, stderr }: Terminals,
): { command: string[]; environment: NodeJS.ProcessEnv } | undefined {
  const isTerminal = stdin.isTTY && stdout.isTTY && (stderr as { isTTY?: boolean }).isTTY;
  if (!isTerminal || !hasScript()) return undefined;
  const { SHELL } = environment;
  const shell = SHELL === undefined ? 'unset SHELL' : `SHELL=${quoted(SHELL)}; export SHELL`;
  return {
    command: ['script', '-qefc', `${shell}; exec ${command.map(quoted).join(' ')}`, '/dev/null'],
    // It has the line read by $SHELL, which need not be one that quotes as we do.
    environment: { ...environment, SHELL: '/bin/sh' },
  };
}

function hasScript(): boolean {
  return spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') ?? false;
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
