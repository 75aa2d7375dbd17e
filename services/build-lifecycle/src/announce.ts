import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { inTurn } from '@mayfly/service-kit/turn';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { Announcer } from './record.ts';

const TIMEOUT_MS = 2000;

/** Takes JetStream; gives the announcer over it. A publish counts once the stream has it. */
export function announcer(js: JetStreamClient): Announcer {
  const publish = async (eventName: string, event: { id: string }, isOnce: boolean) => {
    try {
      const body = JSON.stringify(event);
      const options = { timeout: TIMEOUT_MS, ...(isOnce ? { msgID: event.id } : {}) };
      await inTurn(() => js.publish(eventName, body, options));
    } catch (cause) {
      throw new ServiceError('temporarily_unavailable', 'an announcement could not be stored', { cause });
    }
  };
  return {
    running: (event) => publish(EVENT_NAMES.buildRunning, event, false),
    finished: (_source, event) => publish(EVENT_NAMES.buildFinished, event, false),
    ended: (event) => publish(EVENT_NAMES.ended(event.source), event, true),
  };
}
