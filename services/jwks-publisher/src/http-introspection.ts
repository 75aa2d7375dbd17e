import formbody from '@fastify/formbody';
import { ServiceError } from '@mayfly/contracts/errors';
import { MAX_BODY_BYTES } from '@mayfly/service-kit/http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Judge } from './active.ts';
import type { Callers } from './callers.ts';
import { refuseOthers } from './http-documents.ts';
import { type Introspection, introspect, type Question } from './introspect.ts';
import { failureOf, type Metrics } from './metrics.ts';
import type { OnceStore } from './once.ts';

/** What introspection of one issuer's tokens needs. */
export type Introspector = Judge & { once: OnceStore };

/** Everything that is said of a token that is not active: always these bytes (RFC 7662 §2.2). */
const INACTIVE = '{"active":false}';
const JSON_TYPE = 'application/json; charset=utf-8';

/** Adds introspection at `path` (RFC 7662): for authenticated callers, form-encoded, never cached. */
export function introspectionRoute(
  http: FastifyInstance,
  path: string,
  introspector: Introspector,
  { callers, metrics }: { callers: Callers; metrics: Metrics },
): void {
  http.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.register(formbody, { bodyLimit: MAX_BODY_BYTES });
    scope.post(path, { onRequest: callers.authenticate }, async (request, reply) => {
      const active = await answer(request, introspector, callers, metrics);
      reply.headers({ 'cache-control': 'no-store', pragma: 'no-cache', 'content-type': JSON_TYPE });
      return reply.send(active ? JSON.stringify(active) : INACTIVE);
    });
    done();
  });
  refuseOthers(http, path, ['POST']);
}

async function answer(
  request: FastifyRequest,
  introspector: Introspector,
  callers: Callers,
  metrics: Metrics,
): Promise<Introspection['active']> {
  const began = performance.now();
  try {
    const caller = callers.callerOf(request);
    const { active, isOurs } = await introspect(questionOf(request), caller, introspector, introspector.once);
    metrics.introspections(active ? 'active' : isOurs ? 'inactive' : 'not_ours');
    return active;
  } catch (error) {
    metrics.introspections(failureOf(error));
    throw error;
  } finally {
    metrics.introspectionTook(performance.now() - began);
  }
}

function questionOf(request: FastifyRequest): Question {
  const { token, one_time: oneTime } = (request.body ?? {}) as Record<string, unknown>;
  if (typeof token !== 'string' || token === '') {
    throw new ServiceError('invalid_request', 'the parameter token must be given once');
  }
  if (oneTime !== undefined && oneTime !== 'true' && oneTime !== 'false') {
    throw new ServiceError('invalid_request', 'the parameter one_time must be true or false, once');
  }
  return { token, isOneTime: oneTime === 'true' };
}
