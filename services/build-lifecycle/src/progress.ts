import type { Mark } from '@mayfly/build-store/layout';
import { isRecent } from '@mayfly/build-store/proven-read';
import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';

/** How far one consumer is: everything up to `floor` is acknowledged, nothing past `delivered` has been. */
export type ConsumerProgress = { floor: number; delivered: number };

/** How far BUILDS and its two consumers are, as JetStream says. */
export type Progress = {
  /** When the stream was made: names this very stream. */
  stream: string;
  firstSeq: number;
  starts: ConsumerProgress;
  ends: ConsumerProgress;
  /** How many ends are not acknowledged. */
  endsWaiting: number;
  /** The time by JetStream when it said so, ms. */
  at: number;
  /** When the oldest end that is not acknowledged was stored (ms), undefined where there is none. */
  oldestEndAt: number | undefined;
};

/** Asks JetStream how far the two consumers are. Throws where it does not answer. */
export async function readProgress(nats: NatsConnection, jsm: JetStreamManager): Promise<Progress> {
  // The stream first, and last by its leader what comes after what is acknowledged: where that is nothing, everything up to this
  // last sequence is. A consumer alone does not say so: what it has left it counts by what its own server holds of the stream.
  const info = await jsm.streams.info(STREAMS.builds);
  const { created, state } = info;
  const starts = await jsm.consumers.info(STREAMS.builds, CONSUMERS.starts);
  const ends = await jsm.consumers.info(STREAMS.builds, CONSUMERS.ends);
  const [oldestStartAt, oldestEndAt] = await Promise.all([
    oldestAfter(nats, starts, ['ci.*.build.started']),
    oldestAfter(nats, ends, ['ci.*.build.finished', 'ended.*']),
  ]);
  return {
    stream: created,
    firstSeq: state.first_seq,
    starts: progressOf(starts, oldestStartAt === undefined ? state.last_seq : undefined),
    ends: progressOf(ends, oldestEndAt === undefined ? state.last_seq : undefined),
    endsWaiting: ends.num_pending + ends.num_ack_pending,
    // Of the stream's leader, which stamps what it stores: that of a consumer may run on a server with another clock.
    at: timeOf(info),
    oldestEndAt,
  };
}

/**
 * Takes what reads how far the consumers are, and who wants to hear JetStream's time; gives the same reader, and how many
 * ends waited when it last read: until it has, more than anyone can count.
 */
export function watchProgress(read: () => Promise<Progress>, hear: (time: number) => void) {
  let waiting = Number.POSITIVE_INFINITY;
  const progress = async () => {
    const got = await read();
    hear(got.at);
    waiting = got.endsWaiting;
    return got;
  };
  return { progress, endsWaiting: () => waiting };
}

/**
 * What is known of the Redis process at hand: its mark, its time (ms), its id, and whether we proved it fresh before
 * over this very connection.
 */
export type Held = { mark: Mark | undefined; now: number; runId: string; isProven: boolean };

/** What to replay: of the starts and of the ends, from one sequence to another. */
export type ReplayRange = Record<'starts' | 'ends', { from: number; to: number }>;

/**
 * Gives what has to be replayed before the projection of a Redis process can be believed; undefined where nothing has.
 * Whatever was acknowledged after the mark may have been recorded in another process than this one: unless we proved
 * this one ourselves and were connected to no other since, or somebody marked it within the last two seconds. What was
 * not delivered yet will be.
 */
export function replayRange(
  { mark, now, runId, isProven }: Held,
  progress: Progress,
): ReplayRange | undefined {
  const { starts, ends, firstSeq } = progress;
  const isOurs = mark?.stream === progress.stream;
  if (isOurs && mark.runId === runId && (isProven || isRecent(mark.markedAt, now))) return undefined;
  const after = (floor: number) => Math.max(isOurs ? floor + 1 : 0, firstSeq, 1);
  return {
    starts: { from: after(mark?.startsFloor ?? 0), to: starts.delivered },
    ends: { from: after(mark?.endsFloor ?? 0), to: ends.delivered },
  };
}

/** The server's own time in its answer, which the client's types do not know (nats-server 2.10 and newer). */
const timeOf = (info: object) => Date.parse((info as { ts: string }).ts);

/** Takes a consumer, and up to where everything is acknowledged as far as the stream says so; gives how far it is. */
function progressOf({ ack_floor, delivered }: ConsumerInfo, done: number | undefined): ConsumerProgress {
  if (done === undefined) return { floor: ack_floor.stream_seq, delivered: delivered.stream_seq };
  const last = Math.max(done, ack_floor.stream_seq);
  return { floor: last, delivered: last };
}

/** Gives when the oldest event of these names was stored that is not acknowledged (ms), undefined where there is none. */
async function oldestAfter(
  nats: NatsConnection,
  { ack_floor }: ConsumerInfo,
  eventNames: string[],
): Promise<number | undefined> {
  const found = await Promise.all(eventNames.map((name) => nextAfter(nats, ack_floor.stream_seq, name)));
  const times = found.filter((time) => time !== undefined);
  return times.length > 0 ? Math.min(...times) : undefined;
}

// By the leader, not by a direct get, which a replica that is behind may answer.
async function nextAfter(
  nats: NatsConnection,
  floor: number,
  eventName: string,
): Promise<number | undefined> {
  const body = JSON.stringify({ seq: floor + 1, next_by_subj: eventName });
  const reply = await nats.request(`$JS.API.STREAM.MSG.GET.${STREAMS.builds}`, body, { timeout: 2000 });
  const { message, error } = reply.json<{ message?: { time: string }; error?: { description: string } }>();
  if (message) return Date.parse(message.time);
  if (error?.description !== 'no message found') throw new Error('the stream cannot be read');
  return undefined;
}
