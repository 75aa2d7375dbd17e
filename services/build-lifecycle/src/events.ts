import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Policy } from '@mayfly/contracts/policy';
import type { Bus } from '@mayfly/service-kit/bus';
import { listen } from '@mayfly/service-kit/consume';
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
  /** Says whether the projection can be written to. */
  isPrepared(): boolean;
  /** Gives how many ends are not acknowledged. */
  endsWaiting(): number;
  counter: Counter<'outcome'>;
};

/** How many events of each kind are in hand at once. */
const IN_HAND = 256;

/**
 * Consumes BUILDS: starts by one consumer, ends by another, so that a backlog of starts never delays an end. While more ends
 * wait than are in hand at once, starts wait for them.
 */
export async function listenToBuilds(
  lifecycle: Lifecycle,
  resources: AsyncDisposableStack,
  log: Logger,
): Promise<void> {
  const { bus, policy, recorder, isPrepared, endsWaiting, counter } = lifecycle;
  const handle = async (message: JsMsg) => {
    if (!isPrepared())
      throw new ServiceError('temporarily_unavailable', 'the projection cannot be written to yet');
    const outcome = await record(admit(storedEvent(message), policy), recorder);
    counter.inc({ outcome });
    return undefined;
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
  const listening = { stream: STREAMS.builds, maxMessages: IN_HAND, handle, reject };
  const isHeld = { ends: () => !isPrepared(), starts: () => !isPrepared() || endsWaiting() > IN_HAND };
  for (const kind of ['ends', 'starts'] as const) {
    await listen(bus, { ...listening, consumer: CONSUMERS[kind], isHeld: isHeld[kind] }, resources, log);
  }
}

/** Takes a message of BUILDS; gives the event in it, with its place and time in the stream. */
export function storedEvent(message: JsMsg): StoredEvent {
  return { eventName: message.subject, seq: message.seq, storedAt: storedAt(message), data: message.data };
}

function storedAt({ info }: JsMsg): number {
  return Math.floor(info.timestampNanos / 1e6);
}
