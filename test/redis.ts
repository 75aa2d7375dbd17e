import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Child } from '@mayfly/infra/child';
import { makeDeployment, REDIS_USERS } from '@mayfly/infra/deployment';
import { freePort, processes } from '@mayfly/infra/processes';
import { isRedisUp } from '@mayfly/infra/readiness';
import { findServers } from '@mayfly/infra/servers';
import { Redis } from 'ioredis';
import { eventually } from './ci.ts';

/** A Redis of a test's own, with the users of a deployment. */
export type TestRedis = AsyncDisposable & {
  port: number;
  child(): Child;
  connect(user?: string): Redis;
  /** Path of the file with a secret of this Redis's users: those of every test's Redis are the same. */
  deploymentSecret(name: string): string;
  start(): Promise<void>;
  kill(): Promise<void>;
};

const POLICY = { sources: { acme: { audiences: ['https://api.example.com'] } } };
// Replicas of one another share their users.
const SECRETS = Object.fromEntries(
  REDIS_USERS.map((user) => [
    `redis-${user}`,
    `${createHash('sha256').update(`${process.pid}${user}`).digest('hex')}\n`,
  ]),
);
const cache = fileURLToPath(new URL('../.cache/servers', import.meta.url));

/** Starts a Redis on a free port. */
export async function testRedis(): Promise<TestRedis> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-redis-'));
  const { redis } = await findServers({ cache, say: () => undefined });
  const supervised = processes(dir, () => undefined);
  await supervised.endLeftovers();
  const port = await freePort();
  for (const [name, text] of Object.entries(SECRETS)) {
    mkdirSync(join(dir, 'secrets'), { recursive: true });
    writeFileSync(join(dir, 'secrets', name), text, { mode: 0o600 });
  }
  const deployment = makeDeployment(POLICY, dir, {
    nats: { listen: '127.0.0.1:0', monitor: '127.0.0.1:0', dir },
    redis: { bind: '127.0.0.1', port, dir, aclFile: join(dir, 'redis/users.acl') },
  });
  const clients: Redis[] = [];
  let child: Child;
  const start = async () => {
    child = supervised.spawn('redis', redis.command(deployment.redisConfigFile, dir, [port]));
    await eventually(() => isRedisUp(port), 'Redis');
  };
  await start();
  return {
    port,
    start,
    child: () => child,
    deploymentSecret: deployment.secretFile,
    connect(user = 'build-lifecycle') {
      const client = new Redis(port, '127.0.0.1', {
        username: user,
        password: deployment.secret(`redis-${user}`),
        enableAutoPipelining: true,
      });
      clients.push(client);
      return client;
    },
    async kill() {
      process.kill(child.pid, 'SIGKILL');
      await child.exited;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.disconnect();
      await supervised.stopAll();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
