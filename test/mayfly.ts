import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { TestSystem } from './system.ts';

const MAIN = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url));

/** What a command printed and how it ended. */
export type Ran = { code: number | null; stdout: string; stderr: string };

/** Runs `mayfly` with these arguments, as an operator of a system would. */
export async function mayfly(system: TestSystem, ...args: string[]): Promise<Ran> {
  const env = {
    PATH: process.env['PATH'],
    NATS_URL: system.natsUrl,
    NATS_PASSWORD_FILE: system.secretFile('nats-operator'),
  };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const [stdout, stderr] = [child.stdout, child.stderr].map(async (stream) =>
    (await stream.toArray()).join(''),
  );
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { code, stdout: (await stdout) as string, stderr: (await stderr) as string };
}
