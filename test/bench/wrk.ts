import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchPackages, findUnpacked, type Packages, type Unpacked } from '@mayfly/infra/debian';
import { type Run, runner } from '@mayfly/infra/server';
import { cpuSeconds } from './cpu.ts';
import type { HttpJob, HttpResult } from './program-http.ts';

const CACHE = fileURLToPath(new URL('../../.cache/servers', import.meta.url));
const PACKAGES: Packages = { folder: 'wrk', names: ['wrk'], binary: 'usr/bin/wrk' };

/** Finds wrk of Debian, fetched like the servers; undefined where it cannot be had. */
export async function findWrk(): Promise<Unpacked | undefined> {
  const there = await findUnpacked(PACKAGES, CACHE);
  if (there) return there;
  // It does not know `--version`.
  const real = runner(process.env);
  const run: Run = (file, args, options) =>
    args[0] === '--version' ? Promise.resolve('') : real(file, args, options);
  await fetchPackages(PACKAGES, CACHE, run).catch(() => undefined);
  return await findUnpacked(PACKAGES, CACHE);
}

/** Sends requests as fast as they are answered with wrk; gives how many were a second, and what CPU wrk took. */
export async function runWrk({ file, env }: Unpacked, job: HttpJob): Promise<HttpResult> {
  const { port, requests, connections, seconds } = job;
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-wrk-'));
  try {
    const script = join(dir, 'load.lua');
    writeFileSync(script, scriptOf(requests));
    // It takes whole seconds only.
    const args = ['-t1', `-c${connections}`, `-d${Math.max(1, Math.round(seconds))}s`, '-s', script];
    const { stdout, cpu } = await runToEnd(file, [...args, `http://127.0.0.1:${port}/`], { ...env });
    const line = /^RESULT (.*)$/m.exec(stdout)?.[1];
    if (!line) throw new Error(`wrk said nothing that can be read: ${stdout.slice(0, 500)}`);
    const { count, micros, failed } = JSON.parse(line) as Record<'count' | 'micros' | 'failed', number>;
    return {
      perSecond: ((count - failed) * 1e6) / micros,
      latencies: [],
      lateness: [],
      failed,
      cpuSeconds: cpu,
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** LuaJIT reads these escapes as JSON writes them. */
function scriptOf(requests: string[]): string {
  return `
local requests = {${requests.map((request) => JSON.stringify(request)).join(',\n')}}
local at = 0
request = function()
  at = at % #requests + 1
  return requests[at]
end
done = function(summary)
  local errors = summary.errors
  io.write(string.format('RESULT {"count":%d,"micros":%d,"failed":%d}\\n', summary.requests, summary.duration,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
`;
}

async function runToEnd(file: string, args: string[], env: Record<string, string>) {
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  let cpu = 0;
  const watch = setInterval(() => {
    cpu = Math.max(cpu, cpuSeconds([child.pid as number]));
  }, 50);
  const exited = new Promise<void>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await exited.finally(() => clearInterval(watch));
  return { stdout: Buffer.concat(chunks).toString(), cpu };
}
