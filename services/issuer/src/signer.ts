import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ERRORS, type ErrorCode, ServiceError } from '@mayfly/contracts/errors';
import { type Algorithm, checkSignedIdTokens, MAX_BATCH, type SignIdTokens } from '@mayfly/contracts/signing';
import { ask } from '@mayfly/service-kit/bus';
import type { NatsConnection } from '@nats-io/transport-node';

/** An `IdTokenToSign` whose claims are JSON already. */
export type ClaimsToSign = { source: string; alg: Algorithm; json: string };

/** Has ID tokens signed. */
export type Signer = {
  /** Gives the signed token. Throws a ServiceError: what the signer refused, or `temporarily_unavailable`. */
  sign(token: ClaimsToSign): Promise<string>;
};

/** What is to be signed, as it is sent, and who waits for it. */
type Waiting = { text: string; resolve(token: string): void; reject(error: unknown): void };

const TIMEOUT_MS = 800;
/** So many go without waiting for the end of the turn: they are signed while the rest of it goes on here. */
const SEND_AT = 32;
/** Longest body of one request, bytes; a batch of large claims is split. */
const MAX_BODY_BYTES = 256 * 1024;

/** Takes a connection to NATS; gives the signer behind it. What is asked for in one turn of the event loop goes together, many at a time. */
export function remoteSigner(nats: NatsConnection): Signer {
  let waiting: Waiting[] = [];
  const flush = () => {
    const all = waiting;
    waiting = [];
    for (const batch of batches(all)) void sendBatch(nats, batch);
  };
  return {
    sign: ({ source, alg, json }) =>
      new Promise((resolve, reject) => {
        if (waiting.length === 0) setImmediate(flush);
        waiting.push({ text: `{"source":"${source}","alg":"${alg}","claims":${json}}`, resolve, reject });
        if (waiting.length >= SEND_AT) flush();
      }),
  };
}

async function sendBatch(nats: NatsConnection, batch: Waiting[]): Promise<void> {
  try {
    const message = await ask(nats, EVENT_NAMES.signIdToken, bodyOf(batch), TIMEOUT_MS);
    const answer = checkSignedIdTokens.parse(message.json<unknown>(), 'server_error');
    if (!('results' in answer)) throw failure(answer);
    batch.forEach(({ resolve, reject }, index) => {
      const result = answer.results[index];
      if (result && 'token' in result) resolve(result.token);
      else
        reject(
          failure(result ?? { error: 'server_error', error_description: 'the signer left a token out' }),
        );
    });
  } catch (error) {
    for (const { reject } of batch) reject(error);
  }
}

/** A `SignIdTokens`, of tokens that are text already. */
function bodyOf(batch: Waiting[]): string {
  const type: SignIdTokens['type'] = 'dev.mayfly.keys.sign.id-token';
  return `{"type":"${type}","tokens":[${batch.map(({ text }) => text).join(',')}]}`;
}

function batches(all: Waiting[]): Waiting[][] {
  const result: Waiting[][] = [];
  let bytes = 0;
  for (const one of all) {
    const size = one.text.length;
    const last = result.at(-1);
    if (last && last.length < MAX_BATCH && bytes + size < MAX_BODY_BYTES) {
      last.push(one);
      bytes += size;
    } else {
      result.push([one]);
      bytes = size;
    }
  }
  return result;
}

function failure({ error, error_description }: { error: string; error_description: string }): ServiceError {
  const code = error in ERRORS ? (error as ErrorCode) : 'server_error';
  return new ServiceError(code, error_description);
}
