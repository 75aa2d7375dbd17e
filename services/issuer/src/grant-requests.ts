import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import type { TokenGrant } from '@mayfly/contracts/events';
import { readJson } from '@mayfly/contracts/json';
import { type Bus, finish } from '@mayfly/service-kit/bus';
import type { Msg } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import { type Granted, type Granter, regrant } from './grant.ts';
import type { IssueLog } from './log.ts';

type Edge = { bus: Bus; granter: Granter; issueLog: IssueLog };

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
  return await regrant(source, readJson(data, 'message'), granter);
}

function failure(error: unknown) {
  return error instanceof ServiceError
    ? { error: error.code, error_description: error.message }
    : { error: 'server_error', error_description: 'something went wrong on our side' };
}
