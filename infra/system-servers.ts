import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '@mayfly/contracts/policy';
import { type Deployment, makeDeployment } from './deployment.ts';
import { answersOk, isRedisUp } from './readiness.ts';
import type { Command } from './server.ts';
import type { Servers } from './servers.ts';

/** The servers under a system: what they are called, how each is started, and where services find them. */
export type SystemServers = {
  names: readonly string[];
  deployment: Deployment;
  natsUrls: string[];
  /** Redis, or its Sentinels. */
  redisUrl: string;
  sentinelName?: string;
  /** How many replicas each stream has. */
  replicas: number;
  command(name: string): Command;
  isReady(name: string): Promise<boolean>;
};

/** What the servers of a system are made from; `ports` has one for each of the names that they gave. */
export type ServersOptions = {
  dir: string;
  policy: Policy;
  servers: Servers;
  ports: Readonly<Record<string, number>>;
};

/** Names of the ports of one NATS and one Redis. */
export const SINGLE_PORTS = ['nats', 'nats-monitor', 'redis'];

/** Makes one NATS and one Redis, on this machine. */
export function singleServers({ dir, policy, servers, ports }: ServersOptions): SystemServers {
  const port = (name: string) => ports[name] as number;
  for (const name of ['nats', 'redis']) mkdirSync(join(dir, 'data', name), { recursive: true, mode: 0o700 });
  const deployment = makeDeployment(policy, dir, {
    nats: {
      listen: `127.0.0.1:${port('nats')}`,
      monitor: `127.0.0.1:${port('nats-monitor')}`,
      dir: join(dir, 'data/nats'),
    },
    redis: {
      bind: '127.0.0.1',
      port: port('redis'),
      dir: join(dir, 'data/redis'),
      aclFile: join(dir, 'redis/users.acl'),
    },
  });
  const { natsConfigFile, redisConfigFile } = deployment;
  return {
    names: ['nats', 'redis'],
    deployment,
    natsUrls: [`nats://127.0.0.1:${port('nats')}`],
    redisUrl: `redis://127.0.0.1:${port('redis')}`,
    replicas: 1,
    command: (name) =>
      name === 'nats'
        ? servers.nats.command(natsConfigFile, dir, [port('nats'), port('nats-monitor')])
        : servers.redis.command(redisConfigFile, dir, [port('redis')]),
    isReady: (name) =>
      name === 'nats'
        ? answersOk(`http://127.0.0.1:${port('nats-monitor')}/healthz`)
        : isRedisUp(port('redis')),
  };
}
