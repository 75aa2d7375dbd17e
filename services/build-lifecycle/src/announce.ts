import { batched } from '@mayfly/build-store/batched';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { type BuildRunning, MOST_BUILDS_AN_ANNOUNCEMENT, type RunningBuild } from '@mayfly/contracts/events';
import { inTurn } from '@mayfly/service-kit/turn';
import type { JetStreamClient } from '@nats-io/jetstream';
import { type Announcer, envelope } from './record.ts';

const TIMEOUT_MS = 2000;

/**
 * Takes JetStream and the time by it (ms); gives the announcer over it. A publish counts once the stream has it. Builds of a
 * source that are found running in one turn of the event loop are told together.
 */
export function announcer(js: Pick<JetStreamClient, 'publish'>, now: () => number): Announcer {
  const publish = async (eventName: string, event: { id: string }, isOnce: boolean) => {
    try {
      const options = { timeout: TIMEOUT_MS, ...(isOnce ? { msgID: event.id } : {}) };
      await js.publish(eventName, JSON.stringify(event), options);
    } catch (cause) {
      throw new ServiceError('temporarily_unavailable', 'an announcement could not be stored', { cause });
    }
  };
  const inOneTurn = (eventName: string, event: { id: string }, isOnce: boolean) =>
    inTurn(() => publish(eventName, event, isOnce));
  const runningOf = (source: string) =>
    batched<RunningBuild, void>(MOST_BUILDS_AN_ANNOUNCEMENT, async (builds) => {
      const event: BuildRunning = {
        ...envelope('dev.mayfly.build.running', source, now()),
        data: { builds: [...builds] },
      };
      await publish(EVENT_NAMES.buildRunning, event, false);
      return [];
    });
  const running = new Map<string, ReturnType<typeof runningOf>>();
  return {
    async running(source, build) {
      const tell = running.get(source) ?? runningOf(source);
      running.set(source, tell);
      await tell(build);
    },
    finished: (_source, event) => inOneTurn(EVENT_NAMES.buildFinished, event, false),
    ended: (event) => inOneTurn(EVENT_NAMES.ended(event.source), event, true),
  };
}
