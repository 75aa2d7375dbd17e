import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TokenGrant } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from 'jose';
import { expect } from 'vitest';
import type { TestSystem } from './system.ts';

const MAIN = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url));

/** A `mayfly` that a runner has started; disposing of it ends it, and sees that it left no file behind. */
export type RunningMayfly = AsyncDisposable & {
  child: ChildProcess;
  /** What it has printed so far. */
  output: { stdout: string; stderr: string };
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
};

type Options = { env?: Record<string, string | undefined>; input?: string };

/** Starts the real command as a runner does, with no environment but what is given. */
export function startMayfly(args: readonly string[], { env = {}, input = '' }: Options = {}): RunningMayfly {
  const home = mkdtempSync(join(tmpdir(), 'mayfly-runner-'));
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env['PATH'], XDG_RUNTIME_DIR: home, HOME: home, ...env },
    cwd: tmpdir(),
  });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      output[name] += chunk.toString();
    });
  }
  child.stdin.end(input);
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...output }));
  return {
    ...{ child, output, ended },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      const left = readdirSync(home).filter((name) => name.startsWith('mayfly-'));
      rmSync(home, { recursive: true });
      expect(left, 'files that mayfly left behind').toEqual([]);
    },
  };
}

/** Runs the real command to its end. */
export async function runMayfly(args: readonly string[], options: Options = {}) {
  await using running = startMayfly(args, options);
  return await running.ended;
}

/** Runs a command again while it says that nobody can know now (code 5), which a moment's stall may cause. */
export async function knownRun<T extends { code: number | null }>(run: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const ran = await run();
    if (ran.code !== 5 || Date.now() > deadline) return ran;
  }
}

/** The environment of a runner that was given a grant, under the names of one CI system. */
export function grantedEnvironment({ data }: TokenGrant, prefix = 'MAYFLY'): Record<string, string> {
  return {
    [`${prefix}_ID_TOKEN_REQUEST_URL`]: data.id_token_request_url,
    [`${prefix}_ID_TOKEN_REQUEST_TOKEN`]: data.id_token_request_token,
  };
}

/** Arguments by which a step runs a piece of JavaScript. */
export function script(code: string): string[] {
  return ['--', process.execPath, '-e', code];
}

/** Gives the claims of a token of `acme` for the API, verified against the key set that is served; it may be over by now. */
export async function verified(system: TestSystem, token: string): Promise<JWTPayload> {
  const issuer = issuerUrl(system.baseUrl, 'acme');
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  return (
    await jwtVerify(token, keys, {
      issuer,
      audience: 'https://api.example.com',
      typ: 'JWT',
      clockTolerance: 60,
    })
  ).payload;
}
