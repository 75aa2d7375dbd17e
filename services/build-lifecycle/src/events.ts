import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import type { Policy } from '@mayfly/contracts/policy';
import { type Bus, listen } from '@mayfly/service-kit/bus';
import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { admit, type StoredEvent } from './admit.ts';
import { deadLetter } from './dead-letter.ts';
import { type Recorder, record } from './record.ts';

type Lifecycle = {
  bus: Bus;
  policy: Policy;
  recorder: Recorder;
  /** Throws while the projection cannot be written to. */
  assertPrepared(): void;
  counter: Counter<'outcome'>;
};

/** How many events of each kind are in hand at once. */
const IN_HAND = 256;

/** Consumes BUILDS: starts by one consumer, ends by another, so that a backlog of starts never delays an end. */
export async function listenToBuilds(
  lifecycle: Lifecycle,
  resources: AsyncDisposableStack,
  log: Logger,
): Promise<void> {
  const { bus, policy, recorder, counter } = lifecycle;
  const handle = async (message: JsMsg) => {
    lifecycle.assertPrepared();
    const outcome = await record(admit(storedEvent(message), policy), recorder);
    counter.inc({ outcome });
  };
  const reject = async (message: JsMsg, error: unknown) => {
    const event = storedEvent(message);
    const { eventName, letter } = deadLetter(event, error, recorder.now());
    await bus.js.publish(eventName, JSON.stringify(letter), {
      msgID: `${STREAMS.builds}-${event.seq}`,
      timeout: 2000,
    });
    counter.inc({ outcome: 'dead-lettered' });
    const { error: code, error_description: reason, sha256 } = letter.data;
    log.warn({ eventName: event.eventName, seq: event.seq, code, reason, sha256 }, 'event dead-lettered');
  };
  for (const consumer of [CONSUMERS.ends, CONSUMERS.starts]) {
    await listen(
      bus,
      { stream: STREAMS.builds, consumer, maxMessages: IN_HAND, handle, reject },
      resources,
      log,
    );
  }
}

/** Takes a message of BUILDS; gives the event in it, with its place and time in the stream. */
export function storedEvent(message: JsMsg): StoredEvent {
  return { eventName: message.subject, seq: message.seq, storedAt: storedAt(message), data: message.data };
}

function storedAt({ info }: JsMsg): number {
  return Math.floor(info.timestampNanos / 1e6);
}
