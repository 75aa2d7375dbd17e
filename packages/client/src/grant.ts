import { setTimeout as delay } from 'node:timers/promises';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ERRORS, ServiceError } from '@mayfly/contracts/errors';
import { checkTokenGrant, type GrantRequest, type TokenGrant } from '@mayfly/contracts/events';
import type { Bus } from './bus.ts';
import { backOff, type Patience } from './publish.ts';
import { requested } from './requested.ts';

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
    const failure = await ask(bus, source, request, patience).catch((cause: ServiceError) => cause);
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
  const answer = await requested(bus, EVENT_NAMES.grant(source), request, answerWithinMs);
  if (checkTokenGrant.is(answer)) return answer;
  throw new ServiceError('server_error', 'the answer is no grant');
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
