import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { percentile } from './backlog-watch.ts';
import type { TestSystem } from './system.ts';

/** How one kind of request fared: each one's status (0: no answer) and how long it took. */
export type Fared = { status: number; ms: number; at: number }[];

/** Requests at a fixed rate, whatever becomes of them. */
export type Requests = {
  fared: Record<string, Fared>;
  /** Stops asking, and waits for those that are on their way. */
  stop(): Promise<void>;
};

const TIMEOUT_MS = 5000;

/** Sends each kind of request so many times a second. */
export function sendRequests(
  kinds: Record<string, () => Promise<{ status: number }>>,
  ratePerSecond: number,
): Requests {
  const fared: Record<string, Fared> = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, []]));
  const inHand = new Set<Promise<void>>();
  const began = performance.now();
  let sent = 0;
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * ratePerSecond);
    for (; sent < due; sent++) {
      for (const [kind, send] of Object.entries(kinds)) {
        const work = follow(send, fared[kind] as Fared).finally(() => inHand.delete(work));
        inHand.add(work);
      }
    }
  }, 5);
  return {
    fared,
    async stop() {
      clearInterval(timer);
      await Promise.all(inHand);
    },
  };
}

async function follow(send: () => Promise<{ status: number }>, fared: Fared): Promise<void> {
  const at = performance.now();
  const { status } = await send().catch(() => ({ status: 0 }));
  fared.push({ status, at, ms: performance.now() - at });
}

/** A bare HTTP server in a process of its own: what it needs to answer is what this machine needs just now. */
export async function bareServer(): Promise<AsyncDisposable & { url: string }> {
  const script =
    "const s=require('node:http').createServer((q,r)=>r.end('{}')).listen(0,'127.0.0.1',()=>console.log(s.address().port))";
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    url: `http://127.0.0.1:${Number(port)}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await once(child, 'exit');
    },
  };
}

/** Reads what is at an address to its end. */
export async function read(url: string): Promise<{ status: number }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  await response.arrayBuffer();
  return response;
}

export const p99 = (fared: Fared) =>
  percentile(
    fared.map(({ ms }) => ms),
    0.99,
  );

/** Gives the resident memory of each service, MiB, by name. */
export function residentMemory(system: TestSystem): Record<string, number> {
  const dir = dirname(dirname(system.secretFile('any')));
  const running = JSON.parse(readFileSync(join(dir, 'pids.json'), 'utf8')) as { name: string; pid: number }[];
  const ofServices = running.filter(({ name }) => /^(issuer|key-|build-|jwks-)/.test(name));
  return Object.fromEntries(ofServices.map(({ name, pid }) => [name, residentOf(pid)]));
}

function residentOf(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kib) / 1024;
}
