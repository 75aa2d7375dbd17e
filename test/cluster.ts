import { STREAMS } from '@mayfly/contracts/bus';
import { Redis } from 'ioredis';
import type { Streams } from './operator.ts';
import type { TestSystem } from './system.ts';

/** Connects to one Redis or Sentinel of a cluster (`redis-2`, `sentinel-1`), by itself and not by what Sentinel says. */
export function connectTo(system: TestSystem, name: string, user = 'operator'): Redis {
  const [kind, number] = name.split('-') as ['redis' | 'sentinel', string];
  const redis = new Redis(Number(new URL(system.urlsOf(kind)[Number(number) - 1] as string).port), {
    username: user,
    password: system.secret(`${kind}-${user}`),
    enableReadyCheck: false,
    retryStrategy: () => 100,
    commandTimeout: 3000,
  });
  redis.on('error', () => undefined);
  return redis;
}

/** Gives the port of the Redis that most Sentinels call the master, as it is announced; undefined while they do not agree. */
export async function masterPort(sentinels: Redis[]): Promise<number | undefined> {
  const addresses = await Promise.all(
    sentinels.map((sentinel) =>
      sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'mayfly').catch(() => undefined),
    ),
  );
  const ports = addresses.map((address) => (address as [string, string] | undefined)?.[1]);
  const agreed = ports.find((port) => port && ports.filter((other) => other === port).length >= 2);
  return agreed === undefined ? undefined : Number(agreed);
}

/** Gives the name of the NATS server that leads BUILDS. */
export async function streamLeader({ main }: Streams): Promise<string | undefined> {
  const { cluster } = await main.streams.info(STREAMS.builds);
  return cluster?.leader;
}
