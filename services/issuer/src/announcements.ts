import { recent } from '@mayfly/build-store/recent';
import { CONSUMERS, EVENT_NAMES, STREAMS } from '@mayfly/contracts/bus';
import { isRedelivered, ServiceError } from '@mayfly/contracts/errors';
import { type BuildRunning, checkBuildRunning, type RunningBuild } from '@mayfly/contracts/events';
import { readJson } from '@mayfly/contracts/json';
import type { Bus } from '@mayfly/service-kit/bus';
import { listen } from '@mayfly/service-kit/consume';
import { inTurn } from '@mayfly/service-kit/turn';
import type { JsMsg } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { type Granter, grantTokens } from './grant.ts';
import { findRunning } from './issue.ts';
import type { IssueLog } from './log.ts';

type Edge = {
  bus: Pick<Bus, 'changes'> & { nats: Pick<Bus['nats'], 'publish'> };
  granter: Granter;
  issueLog: Pick<IssueLog, 'granted'>;
};

/** How many announcements are in hand at once, of up to eight builds each: they have to be done before they are delivered again. */
const IN_HAND = 32;
/** Of how many announcements it is known who was granted: twice as many as the server waits for. */
const REMEMBERED = 8192;

/**
 * Consumes LIFECYCLE: for each build that runs and declares tokens, publishes its grant where its CI hears it. Builds that
 * are announced together wait for no other: where one has to be tried again, it alone is.
 */
export async function listenToLifecycle(
  edge: Edge & { bus: Bus },
  resources: AsyncDisposableStack,
  log: Logger,
): Promise<void> {
  const handle = announcementHandler(edge, log);
  const reject = async (message: JsMsg, error: unknown) => {
    log.error({ err: error, seq: message.seq }, 'announcement refused');
  };
  const consumer = { stream: STREAMS.lifecycle, consumer: CONSUMERS.issuer, maxMessages: IN_HAND };
  await listen(edge.bus, { ...consumer, handle, reject }, resources, log);
}

/**
 * Gives what handles an announcement, and then says whether what was published for it went before its acknowledgement: what
 * was given to a connection that was lost is given again. Throws where a build has to be tried again.
 */
export function announcementHandler(edge: Edge, log: Pick<Logger, 'error'>) {
  const grantOnce = onceGranter(edge, log);
  const { changes } = edge.bus;
  const granted = recent<Set<string>>(REMEMBERED);
  return async (message: Pick<JsMsg, 'data' | 'subject'>): Promise<() => void> => {
    const { id, source, data } = announcementIn(message);
    const sentBy = changes();
    const name = `${sentBy} ${id}`;
    const done = granted.get(name) ?? new Set();
    granted.set(name, done);
    const failures = await Promise.all(data.builds.map((build) => grantOnce(source, build, done)));
    const failure = failures.find((error) => error !== undefined);
    if (failure !== undefined) throw failure;
    return () => {
      if (changes() === sentBy) return;
      throw new ServiceError('temporarily_unavailable', 'grants may have been lost with a connection');
    };
  };
}

function announcementIn(message: Pick<JsMsg, 'data' | 'subject'>): BuildRunning {
  const event = checkBuildRunning.parse(readJson(message.data, 'message'));
  if (message.subject === EVENT_NAMES.buildRunning) return event;
  throw new ServiceError('access_denied', 'the subject of the event and what is in it do not agree');
}

/** Gives what grants an announced build its tokens, unless that is done; it gives the error where it has to be tried again. */
function onceGranter({ bus, granter, issueLog }: Edge, log: Pick<Logger, 'error'>) {
  const grant = async (source: string, { id, attempt }: RunningBuild) => {
    // A build that finished meanwhile gets nothing.
    const running = await findRunning({ source, id, attempt }, granter);
    const reply = running?.build.reply;
    if (!running || !reply) return;
    const granted = await grantTokens(running, granter, true);
    const body = JSON.stringify(granted.grant);
    issueLog.granted(granted, 'event');
    await inTurn(() => bus.nats.publish(EVENT_NAMES.tokens(source, reply), body));
  };
  return async (source: string, build: RunningBuild, done: Set<string>): Promise<unknown> => {
    const { id, attempt } = build;
    const life = `${id} ${attempt}`;
    if (!build.is_awaited || done.has(life)) return undefined;
    try {
      await grant(source, build);
    } catch (error) {
      if (isRedelivered(error)) return error;
      log.error({ err: error, source, buildId: id, attempt }, 'build not granted');
    }
    done.add(life);
    return undefined;
  };
}
