import { setTimeout as delay } from 'node:timers/promises';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ERRORS, type ErrorCode, ServiceError } from '@mayfly/contracts/errors';
import { checkTokenGrant, type GrantRequest, type TokenGrant } from '@mayfly/contracts/events';
import type { Bus } from './bus.ts';
import { backOff, type Patience } from './publish.ts';

/** A grant that is on its way; disposing of it stops listening. */
export type Awaited = AsyncDisposable & {
  /** Call once the start is acknowledged: waits for the grant, and asks for it where it does not come. */
  arrived(): Promise<TokenGrant>;
};

/** Listens for the grant of a build that has not started yet: a push that nobody hears is lost. */
export async function awaitGrant(
  bus: Bus,
  source: string,
  reply: string,
  { id, attempt }: { id: string; attempt?: number },
  patience: Patience,
): Promise<Awaited> {
  const pushed = Promise.withResolvers<TokenGrant>();
  const stop = await bus.listen(EVENT_NAMES.tokens(source, reply), (body) => {
    const answer = parse(body);
    if (checkTokenGrant.is(answer) && answer.data.id === id) pushed.resolve(answer);
  });
  const request: GrantRequest = { id, ...(attempt === undefined ? {} : { attempt }) };
  const ended = new AbortController();
  return {
    async arrived() {
      const first = await Promise.race([
        pushed.promise,
        delay(patience.answerWithinMs, undefined, { signal: ended.signal }),
      ]);
      return (
        first ?? (await Promise.race([pushed.promise, askFor(bus, source, request, patience, ended.signal)]))
      );
    },
    async [Symbol.asyncDispose]() {
      ended.abort();
      stop();
    },
  };
}

/** Asks until the build runs: its start may be acknowledged and not yet admitted. */
async function askFor(
  bus: Bus,
  source: string,
  request: GrantRequest,
  patience: Patience,
  ended: AbortSignal,
): Promise<TokenGrant> {
  const giveUpAt = Date.now() + patience.giveUpAfterMs;
  for (let attempt = 0; ; attempt += 1) {
    const failure = await ask(bus, source, request, patience).catch((cause: unknown) => asFailure(cause));
    if (!(failure instanceof ServiceError)) return failure;
    const isPassing = failure.code === 'not_found' || ERRORS[failure.code].redeliver;
    if (!isPassing || Date.now() > giveUpAt) throw failure;
    await delay(backOff(attempt), undefined, { signal: ended });
  }
}

async function ask(
  bus: Bus,
  source: string,
  request: GrantRequest,
  { answerWithinMs }: Patience,
): Promise<TokenGrant> {
  const answer = parse(await bus.request(EVENT_NAMES.grant(source), JSON.stringify(request), answerWithinMs));
  if (checkTokenGrant.is(answer)) return answer;
  const { error, error_description } = (answer ?? {}) as { error?: string; error_description?: string };
  const code = error !== undefined && Object.hasOwn(ERRORS, error) ? (error as ErrorCode) : 'server_error';
  throw new ServiceError(code, error_description ?? 'the answer is no grant');
}

function asFailure(cause: unknown): ServiceError {
  if (cause instanceof ServiceError) return cause;
  return new ServiceError('temporarily_unavailable', 'nobody answered the request for the grant', { cause });
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
