import { setTimeout as delay } from 'node:timers/promises';
import { isRedelivered, ServiceError } from '@mayfly/contracts/errors';
import type { Consumer, JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { type Bus, eventually } from './bus.ts';
import { inTurn } from './turn.ts';

/**
 * Handles a message; may give what there is to say once it is done, right before its acknowledgement, or to see: where that
 * throws, it failed.
 */
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
      await delay(500);
    }
    await delay(HELD_MS);
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
      for (let waits = 0; isHeld() && waits < MOST_WAITS; waits++) await delay(HELD_MS);
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
