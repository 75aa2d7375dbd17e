import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { readJson } from '@mayfly/contracts/json';
import { checkSignIdTokens, checkSignStatusList, type IdTokenToSign } from '@mayfly/contracts/signing';
import { finish } from '@mayfly/service-kit/bus';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { type Administration, KEY_COMMANDS } from './admin.ts';
import { type Signer, signIdToken } from './sign.ts';
import { signStatusList } from './status-list.ts';

/** What answering needs. */
export type Answering = {
  signer: Signer;
  admin: Administration;
  signatures: Counter<'alg' | 'result'>;
  log: Logger;
};

/** Answers `keys.sign.*` and `admin.keys.*`, in one queue group with the other replicas, until the process stops. */
export function answerRequests(
  nats: NatsConnection,
  answering: Answering,
  resources: AsyncDisposableStack,
): void {
  const { log } = answering;
  const inHand = new Set<Promise<void>>();
  const answers: [string, (message: Msg) => Promise<unknown>][] = [
    [EVENT_NAMES.signIdToken, ({ data }) => answerIdTokens(data, answering)],
    [EVENT_NAMES.signStatusList, ({ data }) => answerStatusList(data, answering)],
    [EVENT_NAMES.adminKeys('*'), ({ subject, data }) => answerCommand(subject, data, answering)],
  ];
  const subscriptions = answers.map(([eventName, answer]) =>
    nats.subscribe(eventName, {
      queue: 'key-manager',
      callback: (error, message) => {
        if (error) return void log.error({ err: error }, 'requests cannot be heard');
        const work = answer(message)
          .then((body) => void message.respond(JSON.stringify(body)))
          .catch((cause: unknown) => log.error({ err: cause }, 'request not answered'))
          .finally(() => inHand.delete(work));
        inHand.add(work);
      },
    }),
  );
  resources.defer(() => finish(nats, subscriptions, inHand));
}

async function answerIdTokens(data: Uint8Array, answering: Answering) {
  try {
    const { tokens } = checkSignIdTokens.parse(readJson(data, 'request'));
    return { results: await Promise.all(tokens.map((token) => signOne(token, answering))) };
  } catch (error) {
    answering.log.warn({ err: error }, 'signing request refused');
    return failure(new ServiceError('invalid_request', 'the signing request is malformed'));
  }
}

async function signOne(token: IdTokenToSign, { signer, signatures, log }: Answering) {
  try {
    const signed = await signIdToken(token, signer);
    signatures.inc({ alg: token.alg, result: 'signed' });
    return { token: signed };
  } catch (error) {
    signatures.inc({ alg: token.alg, result: 'refused' });
    log.warn({ err: error, source: token.source, alg: token.alg }, 'token not signed');
    return failure(error);
  }
}

async function answerStatusList(data: Uint8Array, { signer, signatures, log }: Answering) {
  try {
    const token = await signStatusList(checkSignStatusList.parse(readJson(data, 'request')), signer);
    signatures.inc({ alg: 'ES256', result: 'signed' });
    return { token };
  } catch (error) {
    signatures.inc({ alg: 'ES256', result: 'refused' });
    log.warn({ err: error }, 'status list not signed');
    return failure(error);
  }
}

async function answerCommand(eventName: string, data: Uint8Array, { admin, log }: Answering) {
  const verb = eventName.split('.').at(-1) as string;
  try {
    const command = Object.hasOwn(KEY_COMMANDS, verb) ? KEY_COMMANDS[verb] : undefined;
    if (!command) throw new ServiceError('invalid_request', 'there is no such command');
    return await command(readJson(data, 'request'), admin);
  } catch (error) {
    log.warn({ err: error, verb }, 'command refused');
    return failure(error);
  }
}

function failure(error: unknown) {
  const { code, message } =
    error instanceof ServiceError ? error : new ServiceError('server_error', 'the request failed');
  return { error: code, error_description: message };
}
