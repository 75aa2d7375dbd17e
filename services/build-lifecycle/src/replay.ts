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
import type { ReplayRange } from './progress.ts';
import { type Replaying, recordAgain } from './record.ts';

type Source = { js: JetStreamClient; jsm: JetStreamManager };
type Target = Replaying & { policy: Policy };

/** With what comes live meanwhile no more than the server keeps for one connection, be they as long as BUILDS takes them. */
const CHUNK = 200;
const FILTERS = { ends: ['ci.*.build.finished', 'ended.*'], starts: ['ci.*.build.started'] };

/**
 * Reads parts of BUILDS, ends first, and records every event again by today's policy. Announces what nobody can know yet and
 * nothing else. `beat` is called once a chunk; gives the number of events. Throws where NATS or Redis fails.
 */
export async function replay(
  source: Source,
  target: Target,
  range: ReplayRange,
  beat: () => Promise<void>,
): Promise<number> {
  let events = 0;
  for (const kind of ['ends', 'starts'] as const) {
    const { from, to } = range[kind];
    for (const filter of from <= to ? FILTERS[kind] : []) {
      events += await replayPart(source, target, { from, to, filter }, beat);
    }
  }
  return events;
}

type Part = { from: number; to: number; filter: string };

async function replayPart(
  { js, jsm }: Source,
  target: Target,
  part: Part,
  beat: () => Promise<void>,
): Promise<number> {
  const name = await makeConsumer(jsm, part);
  try {
    const consumer = await js.consumers.get(STREAMS.builds, name);
    const reading: Reading = {
      ...{ consumer, to: part.to, delivered: 0, last: part.from - 1 },
      // By the leader of the stream.
      async nextAfter(seq) {
        // The client's types do not know this way to ask.
        const query = { seq: seq + 1, next_by_subj: part.filter } as { seq: number };
        return (await jsm.streams.getMessage(STREAMS.builds, query))?.seq;
      },
    };
    const { num_pending } = await consumer.info(true);
    if (num_pending > 0) return await readAll(reading, target, beat);
    await nothingIsLeft(reading);
    return 0;
  } finally {
    await jsm.consumers.delete(STREAMS.builds, name).catch(() => undefined);
  }
}

async function makeConsumer(jsm: JetStreamManager, { from, filter }: Part): Promise<string> {
  for (const name of REBUILD_CONSUMERS) {
    try {
      await jsm.consumers.delete(STREAMS.builds, name).catch(() => undefined);
      await jsm.consumers.add(STREAMS.builds, {
        name,
        ack_policy: AckPolicy.None,
        deliver_policy: DeliverPolicy.StartSequence,
        opt_start_seq: from,
        filter_subject: filter,
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

/**
 * A consumer that is read up to a sequence of the stream, how many messages of it have come, the sequence of the last, and what
 * gives the sequence of the next one after a sequence.
 */
type Reading = {
  consumer: Consumer;
  to: number;
  delivered: number;
  last: number;
  nextAfter(seq: number): Promise<number | undefined>;
};

async function readAll(reading: Reading, target: Target, beat: () => Promise<void>): Promise<number> {
  let next = readChunk(reading);
  let recorded: Promise<unknown> = Promise.resolve();
  for (let events = 0; ; ) {
    const { messages, isLast } = await next;
    // The next chunk is on its way while this one is read, and this one is read while that before it is recorded.
    if (!isLast) {
      next = readChunk(reading);
      next.catch(() => undefined);
    }
    const before = recorded;
    recorded = Promise.all([...messages.map((message) => apply(message, target)), beat()]);
    recorded.catch(() => undefined);
    await before;
    events += messages.length;
    if (isLast) {
      await recorded;
      return events;
    }
  }
}

/**
 * Reads the next messages. What the server has sent counts as delivered, whether it came or not: the consumer numbers its
 * messages, and where one is missing, or somebody else's consumer has the name by now, it throws.
 */
async function readChunk(reading: Reading): Promise<{ messages: JsMsg[]; isLast: boolean }> {
  const { messages, place } = await fetchNext(reading);
  if (place === 'past the range') return { messages, isLast: true };
  if (place === 'within' && messages.length > 0) return { messages, isLast: false };
  // The rest of the range has left the stream meanwhile, or was sent and never came.
  if (place === 'within') await everythingCame(reading);
  await nothingIsLeft(reading);
  return { messages, isLast: true };
}

/** Fetches the next messages of the range, and says where the last of them stands. */
async function fetchNext(
  reading: Reading,
): Promise<{ messages: JsMsg[]; place: 'within' | 'past the range' | 'at the end' }> {
  const { consumer, to } = reading;
  const messages: JsMsg[] = [];
  for await (const message of await consumer.fetch({ max_messages: CHUNK, expires: 3000 })) {
    const { deliverySequence, pending } = message.info;
    reading.delivered += 1;
    if (deliverySequence !== reading.delivered) throw incomplete();
    if (message.seq <= to) messages.push(message);
    reading.last = message.seq;
    if (message.seq >= to) return { messages, place: 'past the range' };
    if (pending === 0) return { messages, place: 'at the end' };
  }
  return { messages, place: 'within' };
}

async function everythingCame({ consumer, delivered: came }: Reading): Promise<void> {
  const { num_pending, delivered } = await consumer.info();
  if (num_pending > 0 || delivered.consumer_seq !== came) throw incomplete();
}

/** A consumer says what its own server holds of the stream, which may be a replica that is behind: throws where more is there. */
async function nothingIsLeft({ last, to, nextAfter }: Reading): Promise<void> {
  if (last >= to) return;
  const next = await nextAfter(last);
  if (next !== undefined && next <= to) throw incomplete();
}

const incomplete = () => new Error('not every message of the replay has come');

async function apply(message: JsMsg, target: Target): Promise<void> {
  try {
    await recordAgain(admit(storedEvent(message), target.policy), target);
  } catch (error) {
    // What is refused for good was dead-lettered when it was first read.
    if (isRedelivered(error)) throw error;
  }
}
