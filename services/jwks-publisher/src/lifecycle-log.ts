import { EVENT_NAMES, IMPORTED_API, STREAMS } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { checkBuildFinal } from '@mayfly/contracts/events';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { EndedBuild } from './feed-log.ts';
import { lastByLeader } from './leader-read.ts';

/** One stored `build.finished`, and what it says, undefined where it is not one of ours. */
export type StoredEnd = { seq: number; storedAt: number; ended: EndedBuild | undefined };

/** Reads the ends in LIFECYCLE. Throws `temporarily_unavailable` where the stream cannot be read. */
export type LifecycleLog = {
  /** The first end at this sequence or after it, undefined where there is none. */
  next(seq: number): Promise<StoredEnd | undefined>;
  /** The first ends at this sequence or after it, in order: at most so many, and fewer than that says nothing but where it is none. */
  some(seq: number, most: number): Promise<StoredEnd[]>;
  /** The last end, by the leader: what the others are read from may be a replica that is behind. Undefined where there is none. */
  last(): Promise<StoredEnd | undefined>;
};

const TIMEOUT_MS = 1500;
const DIRECT = `${IMPORTED_API}.DIRECT.GET.${STREAMS.lifecycle}`;
const BY_LEADER = `${IMPORTED_API}.STREAM.MSG.GET.${STREAMS.lifecycle}`;
const END_OF_BATCH = 204;
const NOTHING_THERE = 404;

/** Takes a connection to NATS; gives the reader over it, by direct get but for the last end. */
export function lifecycleLog(nats: NatsConnection): LifecycleLog {
  return {
    async next(seq) {
      const body = JSON.stringify({ seq, next_by_subj: EVENT_NAMES.buildFinished });
      const reply = await request(nats, DIRECT, body);
      return isOver(reply) ? undefined : readEnd(reply);
    },
    some: (seq, most) => getSome(nats, seq, most),
    last: () => getLast(nats),
  };
}

async function getLast(nats: NatsConnection): Promise<StoredEnd | undefined> {
  const last = await lastByLeader(nats, BY_LEADER, EVENT_NAMES.buildFinished, TIMEOUT_MS).catch(
    (cause: unknown) => {
      throw unreadable(cause);
    },
  );
  return last && endFrom(last.seq, last.storedAt, last.data);
}

/** Asks for many ends at once, which takes a server of 2.11 or later: one before that gives the first alone. */
async function getSome(nats: NatsConnection, seq: number, most: number): Promise<StoredEnd[]> {
  const ends: StoredEnd[] = [];
  try {
    const body = JSON.stringify({ seq, next_by_subj: EVENT_NAMES.buildFinished, batch: most });
    for await (const reply of await nats.requestMany(DIRECT, body, { maxWait: TIMEOUT_MS })) {
      const isBatch = reply.headers?.has('Nats-Num-Pending') ?? false;
      // Each says which one it comes after: one that was sent into a connection that broke would be missed.
      if (isBatch && placeBefore(reply) !== (ends.at(-1)?.seq ?? 0)) throw unreadable();
      if (isOver(reply)) return ends;
      ends.push(endAfter(ends.at(-1)?.seq ?? seq - 1, reply));
      if (!isBatch) return ends;
    }
  } catch (cause) {
    throw unreadable(cause);
  }
  // The time was over before the end of the batch.
  throw unreadable();
}

/** Says whether an answer is no end, as there is none or no more. */
function isOver({ headers }: Msg): boolean {
  const code = headers?.code ?? 0;
  if (code !== 0 && code !== END_OF_BATCH && code !== NOTHING_THERE) throw unreadable();
  return code !== 0;
}

/** Gives the sequence before a message, as the server says it: 0 for none. */
function placeBefore({ headers }: Msg): number {
  return Number(headers?.get('Nats-Last-Sequence') || Number.NaN);
}

function endAfter(seq: number, reply: Msg): StoredEnd {
  const end = readEnd(reply);
  if (end.seq <= seq) throw unreadable();
  return end;
}

async function request(nats: NatsConnection, subject: string, body: string): Promise<Msg> {
  try {
    return await nats.request(subject, body, { timeout: TIMEOUT_MS });
  } catch (cause) {
    throw unreadable(cause);
  }
}

function readEnd(message: Msg): StoredEnd {
  const seq = Number(message.headers?.get('Nats-Sequence'));
  const storedAt = Date.parse(message.headers?.get('Nats-Time-Stamp') ?? '');
  return endFrom(seq, storedAt, message.data);
}

function endFrom(seq: number, storedAt: number, data: Uint8Array): StoredEnd {
  if (!Number.isSafeInteger(seq) || seq < 1 || Number.isNaN(storedAt)) throw unreadable();
  const ended = readBody(data);
  return { seq, storedAt, ended: ended && { ...ended, seq, storedAt } };
}

function readBody(data: Uint8Array): Omit<EndedBuild, 'seq' | 'storedAt'> | undefined {
  try {
    const event: unknown = JSON.parse(new TextDecoder().decode(data));
    if (!checkBuildFinal.is(event)) return undefined;
    const { id, attempt, reason, finished_at: finishedAt } = event.data;
    return { source: event.source, id, attempt, reason, finishedAt };
  } catch {
    return undefined;
  }
}

/**
 * Takes what was heard on `stored.build.finished`; gives the end, and the sequence of the one before it, 0 for none. Undefined
 * for what LIFECYCLE did not say: a service that may have the server deliver something could have it delivered there.
 */
export function readStored(message: Msg): { end: StoredEnd; before: number } | undefined {
  const { headers } = message;
  const before = placeBefore(message);
  const isOurs =
    headers?.get('Nats-Stream') === STREAMS.lifecycle &&
    headers.get('Nats-Subject') === EVENT_NAMES.buildFinished &&
    // An answer to somebody's question has this.
    !headers.has('Nats-Num-Pending');
  if (!isOurs || !Number.isSafeInteger(before)) return undefined;
  try {
    return { end: readEnd(message), before };
  } catch {
    return undefined;
  }
}

function unreadable(cause?: unknown): ServiceError {
  return new ServiceError('temporarily_unavailable', 'the ends of builds cannot be read', { cause });
}
