import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TokenGrant } from '@mayfly/contracts/events';
import { pidFile } from '@mayfly/infra/pid-file';
import { Redis } from 'ioredis';
import { type Ci, connectCi, eventually, RUNNER } from '../ci.ts';
import { type TestSystem, testSystem, type Wanted } from '../system.ts';
import { cpuSeconds } from './cpu.ts';

/** A system that is measured: its processes' CPU time, a CI, and Redis as an operator sees it. */
export type BenchSystem = AsyncDisposable & {
  system: TestSystem;
  ci: Ci;
  redis: Redis;
  redisLogin: { redisPort: number; username: string; password: string };
  /** CPU time of every process of the system so far, its servers included, seconds. */
  cpuSeconds(): number;
  /** CPU time of one part so far, all its replicas, seconds. */
  cpuSecondsOf(part: string): number;
  port(name: string): number;
};

/** The audiences of the default policy, by the algorithm of their tokens. */
export const AUDIENCES = { RS256: 'sts.amazonaws.com', ES256: 'https://api.example.com' } as const;
/** The two algorithms, in the order in which they are measured. */
export const ALGORITHMS = ['RS256', 'ES256'] as const;
/** One of the two algorithms. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** Starts a system and waits until a build has had its token. */
export async function benchSystem(wanted: Wanted = {}): Promise<BenchSystem> {
  const system = await testSystem(wanted);
  // Not those of the builds that a load generator starts: it hears them itself, and nobody else has to.
  const ci = await connectCi(system, 'acme', true, RUNNER);
  const dir = dirname(dirname(system.secretFile('redis-operator')));
  const { port } = new URL(system.redisUrl);
  const redisLogin = {
    redisPort: Number(port),
    username: 'operator',
    password: system.secret('redis-operator'),
  };
  const { username, password } = redisLogin;
  const redis = new Redis({ port: Number(port), username, password });
  const pidsOf = (part: string) =>
    pidFile(dir)
      .read()
      .filter(({ name }) => name !== 'supervisor' && (part === '' || name.replace(/-\d+$/, '') === part))
      .map(({ pid }) => pid);
  await ci.start({ id: 'first' });
  await ci.heard('first');
  return {
    ...{ system, ci, redis, redisLogin },
    cpuSeconds: () => cpuSeconds(pidsOf('')),
    cpuSecondsOf: (part) => cpuSeconds(pidsOf(part)),
    port: (name) => Number(new URL(system.urlOf(name)).port),
    async [Symbol.asyncDispose]() {
      redis.disconnect();
      await ci[Symbol.asyncDispose]();
      await system[Symbol.asyncDispose]();
    },
  };
}

/** Starts builds with a token of this audience; gives their grants. */
export async function startBuilds(
  { ci }: BenchSystem,
  name: string,
  count: number,
  audience: string,
): Promise<TokenGrant[]> {
  const ids = Array.from({ length: count }, (_, index) => `${name}-${index}`);
  await Promise.all(ids.map((id) => ci.start({ id, idTokens: { API_TOKEN: { aud: audience } } })));
  return await Promise.all(ids.map((id) => eventually(() => ci.take(id), `a grant of ${id}`, 60_000)));
}

/** Has the system's NATS sync every message to its disk, and waits until it works again. */
export async function syncAlways({ system, ci }: BenchSystem): Promise<void> {
  const file = join(dirname(dirname(system.secretFile('redis-operator'))), 'nats', 'nats.conf');
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(/^jetstream \{ /m, 'jetstream { sync_interval: always, '));
  await system.stop('nats');
  await system.start('nats');
  const isBack = async () => {
    const id = `synced-${Date.now()}`;
    await ci.start({ id });
    return await eventually(() => ci.take(id), 'a grant', 2000);
  };
  await eventually(() => isBack().catch(() => undefined), 'a system that has reconnected', 30_000);
}
