import { Redis } from 'ioredis';
import type { Logger } from 'pino';

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
  REDIS_USER: string;
  REDIS_PASSWORD_FILE: string;
};

/**
 * Opens a connection to Redis that reconnects for ever, fails a command within `commandTimeoutMs` instead of waiting,
 * never sends one again by itself, and leaves a server that became a replica. Does not wait for the first connection.
 */
export function openRedis(
  { REDIS_URL, REDIS_SENTINEL_NAME, REDIS_USER, REDIS_PASSWORD_FILE }: Address,
  commandTimeoutMs: number,
  resources: AsyncDisposableStack,
  log: Logger,
): RedisLink {
  const servers = REDIS_URL.split(',').map((text) => new URL(text));
  const hosts = servers.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 6379) }));
  const where = REDIS_SENTINEL_NAME ? { sentinels: hosts, name: REDIS_SENTINEL_NAME } : hosts[0];
  const redis = new Redis({
    ...where,
    ...(servers[0]?.protocol === 'rediss:' ? { tls: {} } : {}),
    username: REDIS_USER,
    password: REDIS_PASSWORD_FILE,
    commandTimeout: commandTimeoutMs,
    connectTimeout: 2000,
    socketTimeout: 5000,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    enableAutoPipelining: true,
    retryStrategy: (tries) => Math.min(50 * tries, 500) + Math.random() * 50,
    reconnectOnError: (error) => (/READONLY|LOADING|MASTERDOWN/.test(error.message) ? 1 : false),
  });
  redis.on('error', (error: Error) => log.warn({ err: error.message }, 'redis error'));
  const watched = watchRunId(redis, log);
  const ping = setInterval(() => void redis.ping().catch(() => undefined), 2000);
  resources.defer(() => {
    clearInterval(ping);
    redis.disconnect();
  });
  return { redis, ...watched };
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
