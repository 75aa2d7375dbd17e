import { existsSync, statSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import type { Policy } from '@mayfly/contracts/policy';
import {
  containerEnvironment,
  giveToContainers,
  INSIDE,
  PORTS,
  secretsIn,
} from '@mayfly/infra/container-places';
import type { Deployment } from '@mayfly/infra/deployment';
import { imageOf } from '@mayfly/infra/images';
import { answersOk, isRedisUp } from '@mayfly/infra/readiness';
import type { ServiceName } from '@mayfly/infra/service-environment';
import { ownProfiles } from '@mayfly/service-kit/policy';
import type { EngineOptions } from './system.ts';

/** What there is before the first container. */
export type Layout = {
  /** `nats`, `redis`, then each service's containers. */
  names: string[];
  policy: Policy;
  deployment: Deployment;
  ports: Readonly<Record<string, number>>;
  baseUrl: string;
  requestUrl: string;
};

/** What one container is made from. */
export type Plan = {
  name: string;
  image: string;
  command: string[];
  environment: Record<string, string>;
  mounts: { source: string; target: string; mode: 'ro' | 'rw' }[];
  /** Folders on a volume of the container's own. */
  volumes: string[];
  /** Host ports, which stay the same when the container starts again. */
  ports: { container: number; host: number }[];
  isReady(): Promise<boolean>;
};

/** Takes the name of a part; gives what its container is made from. */
export function planOf(name: string, options: EngineOptions, layout: Layout): Plan {
  if (name === 'nats') return natsPlan(options, layout);
  if (name === 'redis') return redisPlan(options, layout);
  return servicePlan(name, options, layout);
}

function natsPlan({ dir, nats = '2.10' }: EngineOptions, { deployment, ports }: Layout): Plan {
  const port = ports['nats'] as number;
  const monitor = ports['nats-monitor'] as number;
  return {
    name: 'nats',
    image: `nats:${nats}`,
    command: ['-c', INSIDE.natsConfigFile],
    environment: {},
    mounts: [
      { source: deployment.natsConfigFile, target: INSIDE.natsConfigFile, mode: 'ro' },
      { source: join(dir, 'data', 'nats'), target: INSIDE.data, mode: 'rw' },
    ],
    volumes: [],
    ports: [
      { container: PORTS.nats, host: port },
      { container: PORTS.natsMonitor, host: monitor },
    ],
    isReady: () => answersOk(`http://127.0.0.1:${monitor}/healthz`),
  };
}

function redisPlan({ dir }: EngineOptions, { deployment, ports }: Layout): Plan {
  const port = ports['redis'] as number;
  return {
    name: 'redis',
    image: 'redis:8.0',
    command: ['redis-server', INSIDE.redisConfigFile],
    environment: {},
    mounts: [
      { source: deployment.redisConfigFile, target: INSIDE.redisConfigFile, mode: 'ro' },
      { source: deployment.redisAclFile, target: INSIDE.aclFile, mode: 'ro' },
      { source: join(dir, 'data', 'redis'), target: INSIDE.data, mode: 'rw' },
    ],
    volumes: [],
    ports: [{ container: PORTS.redis, host: port }],
    isReady: () => isRedisUp(port),
  };
}

function servicePlan(name: string, { policyFile, environment = {} }: EngineOptions, layout: Layout): Plan {
  const { deployment, policy, ports, baseUrl, requestUrl } = layout;
  const service = name.replace(/-\d+$/, '') as ServiceName;
  const profiles = ownProfiles(policyFile, policy);
  if (profiles !== undefined) giveToContainers([profiles]);
  const settings = containerEnvironment(service, { baseUrl, requestUrl }, profiles !== undefined);
  const own = environment[service] ?? {};
  const opsPort = ports[`ops-${name}`] as number;
  return {
    name,
    image: imageOf(service),
    command: [],
    environment: { ...settings, ...own },
    mounts: [
      { source: policyFile, target: INSIDE.policyFile, mode: 'ro' },
      ...secretsIn(settings).map((secret) => ({
        ...{ source: deployment.secretFile(secret), mode: 'ro' as const },
        target: `${INSIDE.secrets}/${secret}`,
      })),
      ...(profiles ? [{ source: profiles, target: INSIDE.profiles, mode: 'ro' as const }] : []),
      ...mountsNamedIn(own),
    ],
    volumes: [INSIDE.cache],
    ports: [
      { container: PORTS.service, host: ports[name] as number },
      { container: PORTS.ops, host: opsPort },
    ],
    isReady: () => answersOk(`http://127.0.0.1:${opsPort}/readyz`),
  };
}

/** A file or a folder that a test's own setting names is at the same place inside. */
function mountsNamedIn(environment: Record<string, string>): Plan['mounts'] {
  const paths = Object.values(environment).filter((value) => isAbsolute(value) && existsSync(value));
  giveToContainers(paths);
  return paths.map((path) => ({
    ...{ source: path, target: path },
    mode: statSync(path).isDirectory() ? 'rw' : 'ro',
  }));
}
