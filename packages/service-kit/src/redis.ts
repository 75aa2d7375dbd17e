import type { Socket } from 'node:net';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { foundBySentinels, type Sentinels, watchSentinels } from './sentinels.ts';

/** A connection to Redis, and which Redis process is at its other end. */
export type RedisLink = {
  redis: Redis;
  /** The `run_id` of the Redis process at the other end; undefined while there is no connection or it has not said. */
  runId(): string | undefined;
  /** A number that is another after each reconnect. */
  connection(): number;
};

type Address = {
  REDIS_URL: string;
  REDIS_SENTINEL_NAME?: string;
  REDIS_SENTINEL_USER?: string;
  REDIS_SENTINEL_PASSWORD_FILE?: string;
  REDIS_USER: string;
  REDIS_PASSWORD_FILE: string;
};

/**
 * Opens a connection to Redis that reconnects for ever, fails a command within `commandTimeoutMs` instead of waiting,
 * never sends one again by itself, and leaves a server that became a replica, that its replicas have left, or that
 * Sentinel has found a successor for. Does not wait for the first connection.
 */
export function openRedis(
  address: Address,
  commandTimeoutMs: number,
  resources: AsyncDisposableStack,
  log: Logger,
): RedisLink {
  const { sentinels, ...where } = placesIn(address);
  const redis = new Redis({
    ...where,
    ...(sentinels ? foundBySentinels(sentinels) : {}),
    username: address.REDIS_USER,
    password: address.REDIS_PASSWORD_FILE,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2000,
    socketTimeout: 5000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: true,
    retryStrategy: (tries) => Math.min(50 * tries, 500) + Math.random() * 50,
    reconnectOnError: (error) => (LEFT.test(error.message) ? 1 : false),
  });
  if (sentinels) watchSentinels(sentinels, (master) => leaveUnless(redis, master), resources);
  redis.on('error', (error: Error) => log.warn({ err: error.message }, 'redis error'));
  const watched = watchRunId(redis, log);
  const ping = setInterval(() => void redis.ping().catch(() => undefined), 2000);
  resources.defer(() => {
    clearInterval(ping);
    redis.disconnect();
  });
  return { redis, ...watched };
}

/** What a server answers that cannot serve now, while another one may. */
const LEFT = /READONLY|LOADING|MASTERDOWN|NOREPLICAS/;

/**
 * Leaves the server at hand, unless it is this master already. One that is being connected to is left once it is: ioredis
 * never tries again where it is told to while it looks for a server.
 */
function leaveUnless(redis: Redis, master: { host: string; port: number }): void {
  const { remoteAddress, remotePort } = (redis.stream ?? {}) as Partial<Socket>;
  if (redis.status !== 'ready') redis.once('ready', () => leaveUnless(redis, master));
  else if (remoteAddress !== master.host || remotePort !== master.port) redis.disconnect(true);
}

function placesIn({
  REDIS_URL,
  REDIS_SENTINEL_NAME: name,
  REDIS_SENTINEL_USER: user,
  REDIS_SENTINEL_PASSWORD_FILE: password,
}: Address): { sentinels?: Sentinels; host?: string; port?: number; tls?: object } {
  const servers = REDIS_URL.split(',').map((text) => new URL(text));
  const isTls = servers[0]?.protocol === 'rediss:';
  const defaultPort = name ? 26_379 : 6379;
  const hosts = servers.map(({ hostname, port }) => ({ host: hostname, port: Number(port || defaultPort) }));
  const tls = isTls ? { tls: {} } : {};
  return name ? { sentinels: { hosts, name, user, password, isTls }, ...tls } : { ...hosts[0], ...tls };
}

function watchRunId(redis: Redis, log: Logger): Pick<RedisLink, 'runId' | 'connection'> {
  let known: string | undefined;
  let connection = 0;
  redis.on('close', () => {
    connection += 1;
    known = undefined;
  });
  redis.on('ready', async () => {
    const asked = connection;
    const info = await redis.info('server').catch(() => '');
    if (asked !== connection) return;
    known = /^run_id:([0-9a-f]{40})/m.exec(info)?.[1];
    if (known) log.info({ runId: known }, 'redis ready');
    else redis.disconnect(true);
  });
  return { runId: () => known, connection: () => connection };
}
