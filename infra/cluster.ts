import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Deployment, makeDeployment, writePrivate } from './deployment.ts';
import { type NatsPlace, natsConfig } from './nats/config.ts';
import { answersOk, isRedisUp } from './readiness.ts';
import { type RedisPlace, redisConfig } from './redis/config.ts';
import { MASTER_NAME, sentinelAcl, sentinelConfig } from './redis/sentinel.ts';
import type { Command } from './server.ts';
import type { ServersOptions, SystemServers } from './system-servers.ts';

/** What may differ from cluster to cluster. */
export type ClusterOptions = {
  /** After how long without an answer Sentinel gives the master up, ms. */
  downAfterMs?: number;
  /** Ports that the others reach a Redis by, by name, where they are not its own. */
  announced?: Readonly<Record<string, number>>;
};

const numbered = (kind: string) => [1, 2, 3].map((number) => `${kind}-${number}`);
const [NATS, REDIS, SENTINELS] = ['nats', 'redis', 'sentinel'].map(numbered) as [
  string[],
  string[],
  string[],
];

/** Names of the ports of a cluster. */
export const CLUSTER_PORTS = [
  ...NATS.flatMap((name) => [name, `${name}-monitor`, `${name}-route`]),
  ...REDIS,
  ...SENTINELS,
];

/**
 * Makes three NATS servers in a cluster, and a Redis with two replicas and three Sentinels, on this machine. What Redis
 * and Sentinel write into their configuration themselves is kept.
 */
export function clusterServers(options: ServersOptions, cluster: ClusterOptions = {}): SystemServers {
  const { dir, policy, servers, ports } = options;
  const port = (name: string) => ports[name] as number;
  for (const name of CLUSTER_PORTS) mkdirSync(join(dir, 'data', name), { recursive: true, mode: 0o700 });
  const places = { nats: natsPlace('nats-1', options), redis: redisPlace('redis-1', options, cluster) };
  const deployment = makeDeployment(policy, dir, places);
  const fileOf = (name: string) => join(dir, name.startsWith('nats') ? 'nats' : 'redis', `${name}.conf`);
  const password = (user: string) => deployment.secret(`nats-${user}`);
  for (const name of NATS)
    writePrivate(fileOf(name), natsConfig(Object.keys(policy.sources), password, natsPlace(name, options)));
  writeRedis(options, cluster, deployment, fileOf);
  const urls = (scheme: string, names: string[]) =>
    names.map((name) => `${scheme}://127.0.0.1:${port(name)}`);
  const command = (name: string): Command => {
    if (name.startsWith('nats'))
      return servers.nats.command(fileOf(name), dir, [name, `${name}-monitor`, `${name}-route`].map(port));
    const redis = servers.redis.command(fileOf(name), dir, [port(name)]);
    return name.startsWith('redis') ? redis : { ...redis, args: [...redis.args, '--sentinel'] };
  };
  return {
    names: [...NATS, ...REDIS, ...SENTINELS],
    deployment,
    natsUrls: urls('nats', NATS),
    redisUrl: urls('redis', SENTINELS).join(','),
    sentinelName: MASTER_NAME,
    replicas: 3,
    command,
    isReady: (name) =>
      name.startsWith('nats')
        ? answersOk(`http://127.0.0.1:${port(`${name}-monitor`)}/healthz`)
        : isRedisUp(port(name)),
  };
}

function natsPlace(name: string, { dir, ports }: ServersOptions): NatsPlace {
  const address = (of: string) => `127.0.0.1:${ports[of]}`;
  const routes = NATS.filter((other) => other !== name).map((other) => address(`${other}-route`));
  return {
    listen: address(name),
    monitor: address(`${name}-monitor`),
    dir: join(dir, 'data', name),
    cluster: { name, listen: address(`${name}-route`), routes },
  };
}

function announcedOf(name: string, { ports }: ServersOptions, { announced }: ClusterOptions) {
  return { host: '127.0.0.1', port: announced?.[name] ?? (ports[name] as number) };
}

function redisPlace(name: string, options: ServersOptions, cluster: ClusterOptions): RedisPlace {
  const { dir, ports } = options;
  const follows = name === 'redis-1' ? undefined : announcedOf('redis-1', options, cluster);
  return {
    bind: '127.0.0.1',
    port: ports[name] as number,
    dir: join(dir, 'data', name),
    aclFile: join(dir, 'redis/users.acl'),
    replication: { follows, announced: announcedOf(name, options, cluster) },
  };
}

function writeRedis(
  options: ServersOptions,
  cluster: ClusterOptions,
  deployment: Deployment,
  fileOf: (name: string) => string,
): void {
  const { dir, ports } = options;
  const password = (user: string) => deployment.secret(`redis-${user}`);
  const aclFile = join(dir, 'redis/sentinel-users.acl');
  writePrivate(
    aclFile,
    sentinelAcl((user) => deployment.secret(`sentinel-${user}`)),
  );
  const texts = [
    ...REDIS.map((name) => [name, redisConfig(redisPlace(name, options, cluster), password)] as const),
    ...SENTINELS.map((name) => {
      const place = {
        ...{ bind: '127.0.0.1', port: ports[name] as number, dir: join(dir, 'data', name), aclFile },
        ...{ master: announcedOf('redis-1', options, cluster), downAfterMs: cluster.downAfterMs },
      };
      const passwords = { peers: deployment.secret('sentinel-peers'), redis: password('sentinel') };
      return [name, sentinelConfig(place, passwords)] as const;
    }),
  ];
  for (const [name, text] of texts) if (!existsSync(fileOf(name))) writePrivate(fileOf(name), text);
}
