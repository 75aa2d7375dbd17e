import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
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

/** A build of `octo/hello` on main, which declares a token for Vault. */
export const EVENT = {
  ...{
    specversion: '1.0',
    id: 'e',
    source: 'ci',
    type: 'dev.mayfly.ci.build.started',
    time: '2026-11-20T07:00:00Z',
  },
  data: {
    build: { id: 'b-1', ref: 'refs/heads/main', event: 'push', repository: { id: '7', name: 'octo/hello' } },
    id_tokens: { VAULT: { aud: 'https://vault.example' } },
  },
};
/** What its source may ask for. */
export const POLICY = `base_url: https://id.example
sources:
  ci:
    audiences:
      - https://vault.example
      - sts.amazonaws.com
`;

/** Makes a directory with the event, the policy and other files. */
export function workDirectory(files: Record<string, string> = {}): string {
  const cwd = mkdtempSync(join(tmpdir(), 'trust-'));
  onTestFinished(() => rmSync(cwd, { recursive: true }));
  const all = { 'started.json': JSON.stringify(EVENT), 'mayfly.yaml': POLICY, ...files };
  for (const [name, text] of Object.entries(all)) writeFileSync(join(cwd, name), text);
  return cwd;
}
