import { EVENT_NAMES, STREAMS } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { checkBuildFinal } from '@mayfly/contracts/events';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { EndedBuild } from './feed-log.ts';

/** One stored `build.finished`: its own id, and what it says, undefined where it is not one of ours. */
export type StoredEnd = { seq: number; storedAt: number; eventId: string; ended: EndedBuild | undefined };

/** Reads the ends in LIFECYCLE. Throws `temporarily_unavailable` where the stream cannot be read. */
export type LifecycleLog = {
  /** The first end at this sequence or after it, undefined where there is none. */
  next(seq: number): Promise<StoredEnd | undefined>;
  /** The last end, undefined where there is none. */
  last(): Promise<StoredEnd | undefined>;
};

const TIMEOUT_MS = 1500;

/** Takes a connection to NATS; gives the reader over it, by direct get. */
export function lifecycleLog(nats: NatsConnection): LifecycleLog {
  const get = async (wanted: object) => {
    const reply = await request(nats, JSON.stringify(wanted));
    const code = reply.headers?.code ?? 0;
    if (code === 404) return undefined;
    if (code !== 0) throw unreadable();
    return readEnd(reply);
  };
  return {
    next: (seq) => get({ seq, next_by_subj: EVENT_NAMES.buildFinished }),
    last: () => get({ last_by_subj: EVENT_NAMES.buildFinished }),
  };
}

async function request(nats: NatsConnection, body: string): Promise<Msg> {
  try {
    return await nats.request(`$JS.API.DIRECT.GET.${STREAMS.lifecycle}`, body, { timeout: TIMEOUT_MS });
  } catch (cause) {
    throw unreadable(cause);
  }
}

function readEnd(message: Msg): StoredEnd {
  const seq = Number(message.headers?.get('Nats-Sequence'));
  const storedAt = Date.parse(message.headers?.get('Nats-Time-Stamp') ?? '');
  if (!Number.isSafeInteger(seq) || seq < 1 || Number.isNaN(storedAt)) throw unreadable();
  const { eventId, ended } = readBody(message.data);
  return { seq, storedAt, eventId, ended: ended && { ...ended, seq, storedAt } };
}

/** Takes the body of a `build.finished`; gives its id and what it says. */
export function readBody(data: Uint8Array) {
  try {
    const event: unknown = JSON.parse(new TextDecoder().decode(data));
    if (!checkBuildFinal.is(event)) return { eventId: '', ended: undefined };
    const { id, attempt, reason, finished_at: finishedAt } = event.data;
    return { eventId: event.id, ended: { source: event.source, id, attempt, reason, finishedAt } };
  } catch {
    return { eventId: '', ended: undefined };
  }
}

function unreadable(cause?: unknown): ServiceError {
  return new ServiceError('temporarily_unavailable', 'the ends of builds cannot be read', { cause });
}
