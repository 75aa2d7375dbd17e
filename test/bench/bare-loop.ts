import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, processes } from '@mayfly/infra/processes';
import { answersOk } from '@mayfly/infra/readiness';
import { findServers } from '@mayfly/infra/servers';
import { eventually } from '../ci.ts';
import { cpuSeconds } from './cpu.ts';
import { startProgram } from './program.ts';
import type { BareLoopJob } from './program-bare-loop.ts';

/** The floor of tokens by event: the bare loop in a process, with a NATS of its own. */
export type BareLoop = AsyncDisposable & { natsUrl: string; cpuSeconds(): number };

const CACHE = fileURLToPath(new URL('../../.cache/servers', import.meta.url));

/** Starts the bare loop, with the Redis of a system. */
export async function startBareLoop(redis: Omit<BareLoopJob, 'natsUrl'>): Promise<BareLoop> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-bare-'));
  const quiet = () => undefined;
  const [port, monitor] = (await freePorts(2)) as [number, number];
  const config = join(dir, 'nats.conf');
  writeFileSync(
    config,
    `listen: "127.0.0.1:${port}"\nhttp: "127.0.0.1:${monitor}"\njetstream { store_dir: "${dir}/data" }\n`,
  );
  const { nats } = await findServers({ cache: CACHE, say: quiet });
  const supervised = processes(dir, quiet);
  await supervised.endLeftovers();
  const server = supervised.spawn('nats', nats.command(config, dir, [port, monitor]));
  const program = startProgram('./program-bare-loop.ts');
  const natsUrl = `nats://127.0.0.1:${port}`;
  await eventually(() => answersOk(`http://127.0.0.1:${monitor}/healthz`), 'NATS of the bare loop');
  await program.ask({ ...redis, natsUrl });
  return {
    natsUrl,
    cpuSeconds: () => cpuSeconds([server.pid, program.pid]),
    async [Symbol.asyncDispose]() {
      await program[Symbol.asyncDispose]();
      await supervised.stopAll();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
