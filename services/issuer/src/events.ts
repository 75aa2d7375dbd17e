import { recent } from '@mayfly/build-store/recent';
import { CONSUMERS, EVENT_NAMES, STREAMS } from '@mayfly/contracts/bus';
import { isRedelivered, ServiceError } from '@mayfly/contracts/errors';
import { checkBuildRunning, type RunningBuild, type TokenGrant } from '@mayfly/contracts/events';
import { type Bus, finish } from '@mayfly/service-kit/bus';
import { listen } from '@mayfly/service-kit/consume';
import { inTurn } from '@mayfly/service-kit/turn';
import type { JsMsg } from '@nats-io/jetstream';
import type { Msg } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { type Granted, type Granter, grantTokens, regrant } from './grant.ts';
import { findRunning } from './issue.ts';
import type { IssueLog } from './log.ts';

type Edge = { bus: Bus; granter: Granter; issueLog: IssueLog };

/** How many announcements are in hand at once, of up to eight builds each: they have to be done before they are delivered again. */
const IN_HAND = 64;
/** Of how many announcements that failed in part it is known who was granted. */
const REMEMBERED = 1000;

/**
 * Consumes LIFECYCLE: for each build that runs and declares tokens, publishes its grant where its CI hears it. Builds that
 * are announced together wait for no other: where one has to be tried again, it alone is.
 */
export async function listenToLifecycle(
  { bus, granter, issueLog }: Edge,
  resources: AsyncDisposableStack,
  log: Logger,
) {
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
  const doneOf = recent<Set<string>>(REMEMBERED);
  const handle = async (message: JsMsg) => {
    const { source, data } = checkBuildRunning.parse(parse(message.data));
    if (message.subject !== EVENT_NAMES.buildRunning) {
      throw new ServiceError('access_denied', 'the subject of the event and what is in it do not agree');
    }
    const done = doneOf.get(String(message.seq)) ?? new Set();
    const grantOnce = async (build: RunningBuild) => {
      const life = `${build.id} ${build.attempt}`;
      if (!build.is_awaited || done.has(life)) return undefined;
      try {
        await grant(source, build);
      } catch (error) {
        if (isRedelivered(error)) return error;
        log.error({ err: error, source, buildId: build.id, attempt: build.attempt }, 'build not granted');
      }
      done.add(life);
      return undefined;
    };
    const failures = await Promise.all(data.builds.map(grantOnce));
    const failure = failures.find((error) => error !== undefined);
    if (failure === undefined) return undefined;
    doneOf.set(String(message.seq), done);
    throw failure;
  };
  const reject = async (message: JsMsg, error: unknown) => {
    log.error({ err: error, seq: message.seq }, 'announcement refused');
  };
  const consumer = { stream: STREAMS.lifecycle, consumer: CONSUMERS.issuer, maxMessages: IN_HAND };
  await listen(bus, { ...consumer, handle, reject }, resources, log);
}

/** Answers `ci.<source>.grant`: a CI that lost its grant, or never heard it, asks again while the build runs. */
export function answerGrants(
  { bus, granter, issueLog }: Edge,
  sources: Iterable<string>,
  resources: AsyncDisposableStack,
  log: Logger,
) {
  const answer = async (source: string, message: Msg) => {
    const body = await answerTo(source, message.data, granter).catch((error: unknown) => {
      if (!(error instanceof ServiceError)) log.error({ err: error, source }, 'grant failed');
      return failure(error);
    });
    if ('grant' in body) issueLog.granted(body, 'grant request');
    message.respond(JSON.stringify('grant' in body ? (body.grant satisfies TokenGrant) : body));
  };
  const inHand = new Set<Promise<void>>();
  const subscriptions = [...sources].map((source) =>
    bus.nats.subscribe(EVENT_NAMES.grant(source), {
      queue: 'issuer',
      callback: (error, message) => {
        if (error) return void log.error({ err: error }, 'grant requests cannot be heard');
        const work = answer(source, message)
          .catch((cause: unknown) => log.error({ err: cause }, 'grant failed'))
          .finally(() => inHand.delete(work));
        inHand.add(work);
      },
    }),
  );
  resources.defer(() => finish(bus.nats, subscriptions, inHand));
}

async function answerTo(source: string, data: Uint8Array, granter: Granter): Promise<Granted> {
  return await regrant(source, parse(data), granter);
}

function parse(data: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (cause) {
    throw new ServiceError('invalid_request', 'the message is not JSON in UTF-8', { cause });
  }
}

function failure(error: unknown) {
  return error instanceof ServiceError
    ? { error: error.code, error_description: error.message }
    : { error: 'server_error', error_description: 'something went wrong on our side' };
}
