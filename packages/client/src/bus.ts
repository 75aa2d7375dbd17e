import { natsTls } from '@mayfly/contracts/nats-tls';
import { jetstream } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

/** How a CI reaches the bus: its own account and its own inbox. */
export type BusOptions = {
  servers: string | string[];
  user: string;
  pass: string;
  /** First words of the names on which answers come; `_INBOX.<user>` if left out. */
  inboxPrefix?: string;
};

/** What a client needs of NATS. */
export type Bus = {
  /** Publishes to JetStream under `id`; throws where no acknowledgement comes in time: it may be stored all the same. */
  publish(eventName: string, body: string, id: string, timeoutMs: number): Promise<{ duplicate: boolean }>;
  /** Asks, without JetStream; throws where no answer comes in time. */
  request(eventName: string, body: string, timeoutMs: number): Promise<string>;
  /** Hears an event name from when the promise resolves, or the server is back, until the gift is called. */
  listen(eventName: string, hear: (body: string) => void): Promise<() => void>;
  close(): Promise<void>;
};

/** Opens a connection that reconnects for ever. */
export async function openBus({ servers, user, pass, inboxPrefix }: BusOptions): Promise<Bus> {
  const nats = await connect({
    ...{ servers, ...natsTls(servers) },
    user,
    pass,
    name: 'mayfly client',
    inboxPrefix: inboxPrefix ?? `_INBOX.${user}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    pingInterval: 3_000,
    maxPingOut: 2,
    // Else two refusals in a row close the connection for good: a password that is put right has to be enough.
    ignoreAuthErrorAbort: true,
  });
  const js = jetstream(nats);
  return {
    async publish(eventName, body, id, timeoutMs) {
      const { duplicate } = await js.publish(eventName, body, { msgID: id, timeout: timeoutMs });
      return { duplicate };
    },
    request: async (eventName, body, timeoutMs) =>
      (await nats.request(eventName, body, { timeout: timeoutMs })).string(),
    async listen(eventName, hear) {
      const subscription = nats.subscribe(eventName, {
        callback: (error, message) => {
          if (!error) hear(message.string());
        },
      });
      // While the server is away this fails: it is told of the subscription when it is back, before what is published then.
      await nats.flush().catch(() => undefined);
      return () => subscription.unsubscribe();
    },
    close: () => nats.close(),
  };
}
