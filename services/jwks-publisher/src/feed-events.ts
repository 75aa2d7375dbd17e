import { buildReader } from '@mayfly/build-store/reader';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import type { Policy } from '@mayfly/contracts/policy';
import { feedWindowMs } from '@mayfly/contracts/retention';
import type { Bus } from '@mayfly/service-kit/bus';
import type { RedisLink } from '@mayfly/service-kit/redis';
import type { Logger } from 'pino';
import { type Feed, feed } from './feed.ts';
import { type LifecycleLog, lifecycleLog, readStored } from './lifecycle-log.ts';

const TICK_MS = 1000;

/** Keeps the feed up to date until the process stops: hears each end, and looks every second for what was not heard. */
export function keepFeed(
  bus: Promise<Bus>,
  link: RedisLink,
  policy: Policy,
  resources: AsyncDisposableStack,
  log: Logger,
): Feed {
  let lifecycle: LifecycleLog | undefined;
  const opened = () => {
    if (!lifecycle) throw new ServiceError('temporarily_unavailable', 'the message bus cannot be reached');
    return lifecycle;
  };
  const { isFresh } = buildReader(link);
  const windowMs = feedWindowMs(policy);
  const kept = feed({
    lifecycle: {
      next: (seq) => opened().next(seq),
      some: (seq, most) => opened().some(seq, most),
      last: () => opened().last(),
    },
    isFresh,
    windowMs,
  });
  bus
    .then(({ nats }) => {
      lifecycle = lifecycleLog(nats);
      nats.subscribe(EVENT_NAMES.buildFinishedStored, {
        callback: (error, message) => {
          const stored = error ? undefined : readStored(message);
          if (stored) kept.stored(stored.end, stored.before);
        },
      });
    })
    .catch(() => undefined);
  resources.defer(everySecond(() => kept.tick(), log));
  return kept;
}

/** Calls `act` every second, never twice at once; gives what stops it. */
function everySecond(act: () => Promise<void>, log: Logger): () => void {
  let isBusy = false;
  const timer = setInterval(() => {
    if (isBusy) return;
    isBusy = true;
    act()
      .catch((error: unknown) => log.debug({ err: error }, 'the feed is not proven'))
      .finally(() => {
        isBusy = false;
      });
  }, TICK_MS);
  return () => clearInterval(timer);
}
