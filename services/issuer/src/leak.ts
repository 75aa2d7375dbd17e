import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ERRORS, type ErrorCode, ServiceError } from '@mayfly/contracts/errors';
import type { RevokeBuild } from '@mayfly/contracts/events';
import { ask } from '@mayfly/service-kit/bus';
import type { NatsConnection } from '@nats-io/transport-node';

const TIMEOUT_MS = 3000;

/** Takes a connection to NATS; gives the function that has build-lifecycle end a build whose token leaked. */
export function leakReporter(nats: NatsConnection) {
  return async (build: RevokeBuild): Promise<void> => {
    const message = await ask(nats, EVENT_NAMES.revokeBuild, JSON.stringify(build), TIMEOUT_MS);
    const answer = message.json<{ error?: string; error_description?: string }>();
    if (answer.error === undefined) return;
    const code = answer.error in ERRORS ? (answer.error as ErrorCode) : 'server_error';
    throw new ServiceError(code, answer.error_description ?? 'the build could not be ended');
  };
}
