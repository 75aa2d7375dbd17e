import type { NatsConnection } from '@nats-io/transport-node';

/** A stored message: its place in the stream, when it was stored (ms since 1970), and its body. */
export type StoredMessage = { seq: number; storedAt: number; data: Uint8Array };

type LeaderAnswer = {
  message?: { seq: number; time: string; data?: string };
  error?: { code: number };
};

/**
 * Asks the leader of a stream, which alone is never behind for long, for the last message of a subject; undefined where there
 * is none. Throws where nobody answers in time, or with an error.
 */
export async function lastByLeader(
  nats: NatsConnection,
  request: string,
  subject: string,
  timeoutMs: number,
): Promise<StoredMessage | undefined> {
  const reply = await nats.request(request, JSON.stringify({ last_by_subj: subject }), {
    timeout: timeoutMs,
  });
  const { message, error } = reply.json<LeaderAnswer>();
  if (message) {
    const { seq, time, data = '' } = message;
    return { seq, storedAt: Date.parse(time), data: Buffer.from(data, 'base64') };
  }
  if (error?.code === 404) return undefined;
  throw new Error(`the leader of the stream answers ${error?.code}`);
}
