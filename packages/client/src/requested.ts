import { ERRORS, type ErrorCode, ServiceError } from '@mayfly/contracts/errors';
import type { Bus } from './bus.ts';

/**
 * Asks, and gives the answer. Throws a `ServiceError`: what the answer refuses with, `temporarily_unavailable` where nobody
 * answers within `answerWithinMs`, `server_error` where the answer is no JSON.
 */
export async function requested(
  bus: Bus,
  eventName: string,
  body: object,
  answerWithinMs: number,
): Promise<unknown> {
  const text = await bus.request(eventName, JSON.stringify(body), answerWithinMs).catch((cause: unknown) => {
    throw new ServiceError('temporarily_unavailable', `nobody answered ${eventName}`, { cause });
  });
  const answer = parse(text);
  const { error, error_description } = (answer ?? {}) as { error?: string; error_description?: string };
  if (answer !== undefined && error === undefined) return answer;
  const isKnown = error !== undefined && Object.hasOwn(ERRORS, error);
  const code = isKnown ? (error as ErrorCode) : 'server_error';
  throw new ServiceError(code, error_description ?? `the answer to ${eventName} cannot be read`);
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
