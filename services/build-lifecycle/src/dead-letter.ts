import { createHash, randomUUID } from 'node:crypto';
import { EVENT_NAMES, MAX_EVENT_BYTES } from '@mayfly/contracts/bus';
import type { DeadLetter } from '@mayfly/contracts/dead-letters';
import { ServiceError } from '@mayfly/contracts/errors';
import type { StoredEvent } from './admit.ts';

const EXCERPT_BYTES = 1024;

/** Takes an event, why it was refused, and the time (ms); gives its dead letter and the event name to publish it on. */
export function deadLetter(
  event: StoredEvent,
  error: unknown,
  now: number,
): { eventName: string; letter: DeadLetter } {
  const [, source = 'unknown'] = event.eventName.split('.');
  const { code, message } =
    error instanceof ServiceError
      ? error
      : { code: 'server_error', message: 'the event could not be handled' };
  const isWhole = event.data.byteLength <= MAX_EVENT_BYTES;
  const body = isWhole ? event.data : event.data.subarray(0, EXCERPT_BYTES);
  const letter: DeadLetter = {
    specversion: '1.0',
    id: randomUUID(),
    source,
    type: 'dev.mayfly.event.dead-lettered',
    time: new Date(now).toISOString(),
    data: {
      event_name: event.eventName,
      seq: event.seq,
      stored_at: event.storedAt,
      error: code,
      error_description: message,
      bytes: event.data.byteLength,
      sha256: createHash('sha256').update(event.data).digest('hex'),
      body_base64: Buffer.from(body).toString('base64'),
      is_whole: isWhole,
    },
  };
  return { eventName: EVENT_NAMES.deadLetter(source), letter };
}
