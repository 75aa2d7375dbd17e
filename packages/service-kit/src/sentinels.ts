import { Redis } from 'ioredis';

/** Where the Sentinels are, the name that they know the master by, and who asks them. */
export type Sentinels = {
  hosts: { host: string; port: number }[];
  name: string;
  user: string | undefined;
  password: string | undefined;
  isTls: boolean;
};

/** How long one that does not answer is waited for before the next is asked, ms. */
const ANSWER_MS = 500;

/** Takes the Sentinels; gives what a connection needs to find the master by them, for ever. */
export function foundBySentinels({ hosts, name, user, password, isTls }: Sentinels) {
  return {
    sentinels: hosts,
    name,
    ...(user === undefined ? {} : { sentinelUsername: user }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    sentinelCommandTimeout: ANSWER_MS,
    sentinelRetryStrategy: (tries: number) => Math.min(50 * tries, 500),
    // All are in the settings; what they tell of each other may be addresses of another network.
    updateSentinels: false,
    ...(isTls ? { sentinelTLS: {}, enableTLSForSentinelMode: true } : {}),
  };
}

/**
 * Calls `moved` with the new master each time that a Sentinel says that there is one, until the process stops. One that is still
 * there may be cut off from its replicas, and would never end a connection by itself.
 */
export function watchSentinels(
  { hosts, name, user, password, isTls }: Sentinels,
  moved: (master: { host: string; port: number }) => void,
  resources: AsyncDisposableStack,
): void {
  for (const host of hosts) {
    const sentinel = new Redis({
      ...host,
      ...(user === undefined ? {} : { username: user }),
      ...(password === undefined ? {} : { password }),
      ...(isTls ? { tls: {} } : {}),
      connectTimeout: 2000,
      enableReadyCheck: false,
      maxRetriesPerRequest: null,
      retryStrategy: () => 1000,
    });
    // What keeps the master from being found is logged there.
    sentinel.on('error', () => undefined);
    sentinel.on('message', (_channel: string, text: string) => {
      const [of, , , host = '', port] = text.split(' ');
      if (of === name) moved({ host, port: Number(port) });
    });
    sentinel.subscribe('+switch-master').catch(() => undefined);
    resources.defer(() => sentinel.disconnect());
  }
}
