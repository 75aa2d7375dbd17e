import { chownSync } from 'node:fs';
import type { Places } from './deployment.ts';
import { type ServiceName, serviceEnvironment } from './service-environment.ts';

/** Ports inside each container; outside, they are another deployment's each. */
export const PORTS = { nats: 4222, natsMonitor: 8222, redis: 6379, service: 8080, ops: 9090 } as const;

/** Where things lie inside a container: what it is told is mounted there, read-only. */
export const INSIDE = {
  policyFile: '/etc/mayfly/mayfly.yaml',
  profiles: '/etc/mayfly/profiles',
  natsConfigFile: '/etc/mayfly/nats.conf',
  redisConfigFile: '/etc/mayfly/redis.conf',
  aclFile: '/etc/mayfly/users.acl',
  secrets: '/run/secrets',
  data: '/data',
  cache: '/cache',
} as const;

/** Where the two servers listen and write when each has a container of its own. */
export const CONTAINER_PLACES: Places = {
  nats: { listen: `0.0.0.0:${PORTS.nats}`, monitor: `0.0.0.0:${PORTS.natsMonitor}`, dir: INSIDE.data },
  redis: { bind: '0.0.0.0', port: PORTS.redis, dir: INSIDE.data, aclFile: INSIDE.aclFile },
};

/**
 * Takes a service, the addresses that the world knows, and whether the operator's own profiles are mounted; gives its
 * settings in a container beside `nats` and `redis`.
 */
export function containerEnvironment(
  service: ServiceName,
  addresses: { baseUrl: string; requestUrl: string },
  hasProfiles: boolean,
): Record<string, string> {
  return serviceEnvironment(service, {
    ...addresses,
    policyFile: INSIDE.policyFile,
    profilesDir: hasProfiles ? INSIDE.profiles : undefined,
    natsUrl: `nats://nats:${PORTS.nats}`,
    redisUrl: `redis://redis:${PORTS.redis}`,
    host: '0.0.0.0',
    port: PORTS.service,
    opsHost: '0.0.0.0',
    opsPort: PORTS.ops,
    cacheDir: INSIDE.cache,
    secretFile: (name) => `${INSIDE.secrets}/${name}`,
  });
}

/** Gives the names of the secrets that a service's settings name. */
export function secretsIn(environment: Record<string, string>): string[] {
  const prefix = `${INSIDE.secrets}/`;
  return Object.values(environment).flatMap((value) =>
    value.startsWith(prefix) ? [value.slice(prefix.length)] : [],
  );
}

const NOBODY = { uid: 65534, gid: 65534 };

/**
 * Gives the user that containers run as: whoever runs this, so that secrets stay readable by their owner alone and
 * what a container writes can be removed; nobody in place of root.
 */
export function containerUser(): { uid: number; gid: number } {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()];
  return uid === undefined || gid === undefined || uid === 0 ? NOBODY : { uid, gid };
}

/** Gives files and folders to the user that containers run as. */
export function giveToContainers(paths: string[]): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = containerUser();
  for (const path of paths) chownSync(path, uid, gid);
}
