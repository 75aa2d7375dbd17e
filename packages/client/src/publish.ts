import { setTimeout as delay } from 'node:timers/promises';
import { MAX_EVENT_BYTES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Bus } from './bus.ts';

/** How long one answer is waited for, and how long it is tried at all; milliseconds. */
export type Patience = { answerWithinMs: number; giveUpAfterMs: number };

const FIRST_WAIT_MS = 50;
const LONGEST_WAIT_MS = 2_000;

/**
 * Publishes an event under its own id, again and again until it is acknowledged: what timed out may be stored, and the
 * id keeps it from being stored twice. Throws `payload_too_large`, and `conflict` where the very first publish is called a duplicate: somebody
 * else has used the id, and the event is lost.
 */
export async function publishOnce(
  bus: Bus,
  eventName: string,
  event: { id: string },
  { answerWithinMs, giveUpAfterMs }: Patience,
): Promise<void> {
  const giveUpAt = Date.now() + giveUpAfterMs;
  const body = JSON.stringify(event);
  if (Buffer.byteLength(body) > MAX_EVENT_BYTES)
    throw new ServiceError('payload_too_large', 'the event is larger than 64 KiB');
  for (let attempt = 0; ; attempt += 1) {
    try {
      const { duplicate } = await bus.publish(eventName, body, event.id, answerWithinMs);
      if (!duplicate || attempt > 0) return;
    } catch (cause) {
      const waitMs = backOff(attempt);
      if (Date.now() + waitMs > giveUpAt) {
        throw new ServiceError('temporarily_unavailable', 'the event was not acknowledged', { cause });
      }
      await delay(waitMs);
      continue;
    }
    throw new ServiceError('conflict', 'the first publish of the event was answered as a duplicate');
  }
}

/** How long to wait after so many failures, ms. */
export function backOff(attempt: number): number {
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt) * (0.5 + Math.random() / 2);
}
