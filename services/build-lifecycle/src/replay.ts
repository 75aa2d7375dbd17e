import { REBUILD_CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import { isRedelivered } from '@mayfly/contracts/errors';
import type { Policy } from '@mayfly/contracts/policy';
import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type JsMsg,
} from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { admit } from './admit.ts';
import { storedEvent } from './events.ts';
import { type Recording, recordRunning } from './record.ts';

type Source = { js: JetStreamClient; jsm: JetStreamManager };
type Target = Recording & { policy: Policy };

const CHUNK = 1000;

/**
 * Reads BUILDS from one sequence to another and records every event again by today's policy. Announces nothing.
 * `beat` is called once a chunk; gives the number of events. Throws where NATS or Redis fails.
 */
export async function replay(
  { js, jsm }: Source,
  target: Target,
  range: { from: number; to: number },
  beat: () => Promise<void>,
): Promise<number> {
  const name = await makeConsumer(jsm, range.from);
  try {
    return await readAll(await js.consumers.get(STREAMS.builds, name), target, range.to, beat);
  } finally {
    await jsm.consumers.delete(STREAMS.builds, name).catch(() => undefined);
  }
}

async function makeConsumer(jsm: JetStreamManager, from: number): Promise<string> {
  for (const name of REBUILD_CONSUMERS) {
    try {
      await jsm.consumers.delete(STREAMS.builds, name).catch(() => undefined);
      await jsm.consumers.add(STREAMS.builds, {
        name,
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: Math.max(from, 1),
        inactive_threshold: nanos(30_000),
        mem_storage: true,
        num_replicas: 1,
      });
      return name;
    } catch (error) {
      if (name === REBUILD_CONSUMERS.at(-1)) throw error;
    }
  }
  throw new Error('unreachable');
}

async function readAll(
  consumer: Consumer,
  target: Target,
  to: number,
  beat: () => Promise<void>,
): Promise<number> {
  for (let events = 0; ; ) {
    const chunk: Promise<void>[] = [];
    let isLast = false;
    // Ends by itself where the rest of the range has left the stream meanwhile.
    for await (const message of await consumer.fetch({ max_messages: CHUNK, expires: 2000 })) {
      chunk.push(apply(message, target));
      isLast = message.seq >= to || message.info.pending === 0;
      if (isLast) break;
    }
    await Promise.all(chunk);
    events += chunk.length;
    if (isLast || chunk.length === 0) return events;
    await beat();
  }
}

async function apply(message: JsMsg, target: Target): Promise<void> {
  try {
    const admitted = admit(storedEvent(message), target.policy);
    if (admitted.kind === 'start') await recordRunning(admitted.build, target);
    else if (admitted.kind === 'finish')
      await target.writer.finish({ ...admitted, expiresAt: admitted.finishedAt + target.retentionMs });
  } catch (error) {
    // What is refused for good was dead-lettered when it was first read.
    if (isRedelivered(error)) throw error;
  }
}
