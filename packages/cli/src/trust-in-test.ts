import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { Surroundings } from './command.ts';
import { runCommand } from './commands.ts';

/** Runs the command in this process, with nothing of its surroundings but what is given. For commands that start no other. */
export async function runInProcess(
  args: string[],
  { input = '', cwd = '/' }: { input?: string; cwd?: string } = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  stdin.end(input);
  const surroundings: Surroundings = {
    ...{ env: {}, workDirectory: cwd, stdin, stdout, stderr, self: [] },
    onSignal: () => undefined,
  };
  const output = [text(stdout), text(stderr)] as const;
  const code = await runCommand(args, surroundings);
  stdout.end();
  stderr.end();
  return { code, stdout: await output[0], stderr: await output[1] };
}
