import { ServiceError } from '@mayfly/contracts/errors';
import { natsTls } from '@mayfly/contracts/nats-tls';
import { type JetStreamClient, jetstream } from '@nats-io/jetstream';
import {
  connect,
  type Msg,
  type NatsConnection,
  type Payload,
  RequestError,
  type Subscription,
  TimeoutError,
} from '@nats-io/transport-node';
import type { Logger } from 'pino';

/** An open connection to NATS, and its JetStream. */
export type Bus = {
  nats: NatsConnection;
  js: JetStreamClient;
  /** Says whether the connection is up now. */
  isConnected(): boolean;
  /** Gives how often it was lost or made anew: where it is the same as before, what was sent since is on its way, in order. */
  changes(): number;
  /** Aborted when the connection is about to be closed. */
  closing: AbortSignal;
};

type Address = { NATS_URL: string; NATS_USER: string; NATS_PASSWORD_FILE: string };

const REQUEST_TIMEOUT_MS = 1000;

/**
 * Opens a connection to NATS that reconnects for ever and notices a frozen server within ten seconds.
 * Waits for the first connection; without a server it resolves when there is one. `apiPrefix` is what JetStream's API is called
 * where its streams are another account's.
 */
export async function openBus(
  { NATS_URL, NATS_USER, NATS_PASSWORD_FILE }: Address,
  name: string,
  resources: AsyncDisposableStack,
  log: Logger,
  apiPrefix?: string,
): Promise<Bus> {
  let isUp = true;
  let changes = 0;
  const closing = new AbortController();
  resources.defer(() => closing.abort());
  const servers = NATS_URL.split(',');
  const options = {
    ...{ servers, ...natsTls(servers) },
    user: NATS_USER,
    pass: NATS_PASSWORD_FILE,
    name,
    inboxPrefix: `_INBOX.${NATS_USER}`,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 250,
    pingInterval: 3000,
    maxPingOut: 2,
    timeout: 2000,
    // Else two refusals, be they days apart, close the connection for good: a secret that is put right has to be enough.
    ignoreAuthErrorAbort: true,
    // Every request would take three stack traces, which no error of ours shows.
    noAsyncTraces: true,
  };
  const nats = await eventually(() => connect(options), log, 'nats cannot be reached', closing.signal);
  if (closing.signal.aborted) {
    await nats.close();
    throw new Error('stopped while nats was connected to');
  }
  watch(nats, log, (now) => {
    isUp = now;
    changes += 1;
  }).catch((error: unknown) => log.error({ err: error }, 'nats status failed'));
  resources.defer(() => nats.close());
  return {
    ...{ nats, js: jetstream(nats, apiPrefix === undefined ? {} : { apiPrefix }), closing: closing.signal },
    isConnected: () => isUp && !nats.isClosed(),
    changes: () => changes,
  };
}

async function watch(nats: NatsConnection, log: Logger, setUp: (isUp: boolean) => void): Promise<void> {
  for await (const status of nats.status()) {
    if (status.type === 'error') log.warn({ err: status.error }, 'nats error');
    if (status.type !== 'disconnect' && status.type !== 'reconnect') continue;
    setUp(status.type === 'reconnect');
    log.warn(`nats ${status.type}`);
  }
}

/** Takes an event name and a body; gives the answer. Throws `temporarily_unavailable` where none comes in time. */
export async function ask(
  nats: NatsConnection,
  eventName: string,
  body: Payload,
  timeoutMs = REQUEST_TIMEOUT_MS,
): Promise<Msg> {
  try {
    return await nats.request(eventName, body, { timeout: timeoutMs });
  } catch (error) {
    if (error instanceof TimeoutError || error instanceof RequestError) {
      throw new ServiceError('temporarily_unavailable', 'a service that is needed does not answer', {
        cause: error,
      });
    }
    throw new ServiceError('temporarily_unavailable', 'the message bus cannot be reached', { cause: error });
  }
}

/** How long a server that says nothing is waited for when the process stops, ms. */
const STOPPING_MS = 1000;

/**
 * Takes subscriptions that are heard no more, and what of theirs is in hand; resolves once what the server had sent is answered.
 * Nobody else was asked: who asked would wait in vain.
 */
export async function finish(
  nats: NatsConnection,
  subscriptions: readonly Subscription[],
  inHand: Iterable<Promise<unknown>>,
): Promise<void> {
  // What is waited for no more must not keep the process.
  const late = () => new Promise((resolve) => setTimeout(resolve, STOPPING_MS).unref());
  const inTime = (act: Promise<unknown>) => Promise.race([act.catch(() => undefined), late()]);
  await inTime(Promise.all(subscriptions.map((one) => one.drain())));
  await Promise.all(inHand);
  await inTime(nats.flush());
}

/**
 * Takes an act that may fail for now; gives its result once it succeeds, trying every half second. Throws what the act
 * throws once `closing` is aborted.
 */
export async function eventually<T>(
  act: () => Promise<T>,
  log: Logger,
  complaint: string,
  closing: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await act();
    } catch (error) {
      if (closing.aborted) throw error;
      if (tries % 10 === 1) log.warn({ err: error, tries }, complaint);
      await pause(500);
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
