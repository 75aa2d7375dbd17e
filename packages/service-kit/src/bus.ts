import { isRedelivered, ServiceError } from '@mayfly/contracts/errors';
import { type Consumer, type JetStreamClient, type JsMsg, jetstream } from '@nats-io/jetstream';
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
import { inTurn } from './turn.ts';

/** An open connection to NATS, and its JetStream. */
export type Bus = {
  nats: NatsConnection;
  js: JetStreamClient;
  /** Says whether the connection is up now. */
  isConnected(): boolean;
  /** Aborted when the connection is about to be closed. */
  closing: AbortSignal;
};

type Address = { NATS_URL: string; NATS_USER: string; NATS_PASSWORD_FILE: string };

const REQUEST_TIMEOUT_MS = 1000;

/**
 * Opens a connection to NATS that reconnects for ever and notices a frozen server within ten seconds.
 * Waits for the first connection; without a server it resolves when there is one.
 */
export async function openBus(
  { NATS_URL, NATS_USER, NATS_PASSWORD_FILE }: Address,
  name: string,
  resources: AsyncDisposableStack,
  log: Logger,
): Promise<Bus> {
  let isUp = true;
  const closing = new AbortController();
  resources.defer(() => closing.abort());
  const options = {
    servers: NATS_URL.split(','),
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
  }).catch((error: unknown) => log.error({ err: error }, 'nats status failed'));
  resources.defer(() => nats.close());
  return { nats, js: jetstream(nats), isConnected: () => isUp && !nats.isClosed(), closing: closing.signal };
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

/** Handles a message; may give what there is to say once it is done, right before its acknowledgement. */
type Handler = (message: JsMsg) => Promise<(() => void) | undefined>;
type Listening = {
  stream: string;
  consumer: string;
  maxMessages: number;
  /** Says whether these messages have to wait for others now; asked before each one. */
  isHeld?(): boolean;
  handle: Handler;
  /** What to do with a message that is not worth another delivery; it is then terminated. */
  reject(message: JsMsg, error: unknown): Promise<void>;
};

/**
 * Consumes a durable consumer until the process stops: every message is handled at once, up to `maxMessages` together,
 * and acknowledged after its handler is done. What fails is delivered again with back-off, or rejected, as the table
 * of errors says. On a stop, what is in hand is finished first.
 */
export async function listen(
  { js, closing }: Bus,
  { stream, consumer: name, maxMessages, isHeld = () => false, handle, reject }: Listening,
  resources: AsyncDisposableStack,
  log: Logger,
): Promise<void> {
  const complaint = `consumer ${name} cannot be reached`;
  const consumer = await eventually(() => js.consumers.get(stream, name), log, complaint, closing);
  const inHand = new Set<Promise<void>>();
  const stopped = new AbortController();
  const settle = async (message: JsMsg) => {
    try {
      const say = await handle(message);
      await inTurn(() => {
        say?.();
        message.ack();
      });
    } catch (error) {
      await fail(message, error, reject, log).catch((cause: unknown) => {
        log.error({ err: cause, consumer: name, seq: message.seq }, 'event cannot be rejected');
        message.nak(5000);
      });
    }
  };
  let settled = () => {};
  const take = async (message: JsMsg) => {
    const work = settle(message).finally(() => {
      inHand.delete(work);
      settled();
    });
    inHand.add(work);
    if (inHand.size < maxMessages) return;
    await new Promise<void>((resolve) => {
      settled = resolve;
    });
  };
  const consuming = consumeForEver({ consumer, maxMessages, isHeld, take }, stopped.signal, log);
  resources.defer(async () => {
    stopped.abort();
    await consuming;
    await Promise.all(inHand);
  });
}

type Consuming = {
  consumer: Consumer;
  maxMessages: number;
  isHeld(): boolean;
  /** Begins to handle a message; waits while as many as may be are in hand. */
  take(message: JsMsg): Promise<void>;
};

async function consumeForEver(consuming: Consuming, stopped: AbortSignal, log: Logger): Promise<void> {
  while (!stopped.aborted) {
    try {
      if (!consuming.isHeld()) await consumeUntilHeld(consuming, stopped);
    } catch (error) {
      if (stopped.aborted) return;
      log.warn({ err: error }, 'consuming interrupted');
      await pause(500);
    }
    await pause(HELD_MS);
  }
}

async function consumeUntilHeld(
  { consumer, maxMessages, isHeld, take }: Consuming,
  stopped: AbortSignal,
): Promise<void> {
  const messages = await consumer.consume({ max_messages: maxMessages, expires: 5000 });
  const stop = () => messages.stop();
  stopped.addEventListener('abort', stop, { once: true });
  try {
    for await (const message of messages) {
      // What was given to us and not taken is delivered again, but not at once: a short wait is better.
      for (let waits = 0; isHeld() && waits < MOST_WAITS; waits++) await pause(HELD_MS);
      if (isHeld()) break;
      await take(message);
    }
  } finally {
    stopped.removeEventListener('abort', stop);
  }
}

/** How soon it is asked again whether messages that are held may come, ms. */
const HELD_MS = 50;
/** How often it is asked with messages at hand, before they are left to others. */
const MOST_WAITS = 20;

/** Longest pause before a message that failed is delivered again, ms: how soon work goes on once what failed is back. */
const MAX_BACKOFF_MS = 1000;

async function fail(message: JsMsg, error: unknown, reject: Listening['reject'], log: Logger): Promise<void> {
  const tries = message.info.deliveryCount;
  if (!isRedelivered(error)) {
    await reject(message, error);
    message.term();
    return;
  }
  const level = error instanceof ServiceError ? 'warn' : 'error';
  log[level]({ err: error, seq: message.seq, tries }, 'event failed');
  message.nak(Math.min(50 * 2 ** Math.min(tries, 10), MAX_BACKOFF_MS));
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
