import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { checkSignIdTokens, type IdTokenToSign } from '@mayfly/contracts/signing';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import { type Signer, signIdToken } from './sign.ts';

/** Answers `keys.sign.id-token`, in one queue group with the other replicas, until the process stops. */
export function answerSigning(
  nats: NatsConnection,
  signer: Signer,
  counter: Counter<'alg' | 'result'>,
  resources: AsyncDisposableStack,
  log: Logger,
): void {
  const inHand = new Set<Promise<void>>();
  const answer = async (message: Msg) => {
    const body = await answerTo(message.data, signer, counter, log);
    message.respond(JSON.stringify(body));
  };
  const subscription = nats.subscribe(EVENT_NAMES.signIdToken, {
    queue: 'key-manager',
    callback: (error, message) => {
      if (error) return void log.error({ err: error }, 'signing requests cannot be heard');
      const work = answer(message)
        .catch((cause: unknown) => log.error({ err: cause }, 'signing failed'))
        .finally(() => inHand.delete(work));
      inHand.add(work);
    },
  });
  resources.defer(async () => {
    subscription.unsubscribe();
    await Promise.all(inHand);
    await nats.flush().catch(() => undefined);
  });
}

async function answerTo(data: Uint8Array, signer: Signer, counter: Counter<'alg' | 'result'>, log: Logger) {
  try {
    const { tokens } = checkSignIdTokens.parse(JSON.parse(new TextDecoder().decode(data)));
    return { results: await Promise.all(tokens.map((token) => signOne(token, signer, counter, log))) };
  } catch (error) {
    log.warn({ err: error }, 'signing request refused');
    return failure(new ServiceError('invalid_request', 'the signing request is malformed'));
  }
}

async function signOne(
  token: IdTokenToSign,
  signer: Signer,
  counter: Counter<'alg' | 'result'>,
  log: Logger,
) {
  try {
    const signed = await signIdToken(token, signer);
    counter.inc({ alg: token.alg, result: 'signed' });
    return { token: signed };
  } catch (error) {
    counter.inc({ alg: token.alg, result: 'refused' });
    log.warn({ err: error, source: token.source, alg: token.alg }, 'token not signed');
    return failure(
      error instanceof ServiceError ? error : new ServiceError('server_error', 'signing failed'),
    );
  }
}

const failure = ({ code, message }: ServiceError) => ({ error: code, error_description: message });
