import { ServiceError } from '@mayfly/contracts/errors';
import type { VerifyPolicy } from '@mayfly/contracts/policy';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { Judge } from './active.ts';
import { failureOf, type Metrics } from './metrics.ts';
import { answerProxy } from './proxy-answer.ts';

/** What proxies may ask of one issuer: the questions by name, and what it takes to answer. */
export type ProxyVerifier = { judge: Judge; questions: ReadonlyMap<string, VerifyPolicy> };

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/**
 * Adds `<path>/<name>` and anything under it, for nginx `auth_request`, forward-auth and Envoy's `ext_authz`, which each
 * ask with the method, and some with the path, of the request that they hold; and `<path>` for the only question.
 */
export function verifyRoutes(
  http: FastifyInstance,
  path: string,
  verifier: ProxyVerifier,
  metrics: Pick<Metrics, 'verifications'>,
): void {
  const { judge, questions } = verifier;
  if (questions.size === 0) return;
  http.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // The request is the proxy's: its body, if it sends one, is not looked at.
    scope.addContentTypeParser('*', (_request, payload, parsed) => {
      payload.resume();
      parsed(null);
    });
    const routeOf = (url: string, question: VerifyPolicy) =>
      scope.route({
        method: METHODS,
        url,
        handler: (request, reply) => answer(request, reply, question, { judge, metrics }),
      });
    for (const [name, question] of questions) {
      routeOf(`${path}/${name}`, question);
      routeOf(`${path}/${name}/*`, question);
    }
    const only = questions.get('default') ?? (questions.size === 1 ? [...questions.values()][0] : undefined);
    if (only) routeOf(path, only);
    done();
  });
}

type Answering = { judge: Judge; metrics: Pick<Metrics, 'verifications'> };

async function answer(
  request: FastifyRequest,
  reply: FastifyReply,
  question: VerifyPolicy,
  { judge, metrics }: Answering,
) {
  reply.header('cache-control', 'no-store');
  const asking = async () => await answerProxy(bearerToken(request), question, judge);
  const answered = await asking().catch((error: unknown) => {
    metrics.verifications(failureOf(error));
    throw error;
  });
  metrics.verifications(answered.allowed ? 'allowed' : answered.isToken ? 'claims' : 'refused');
  if (answered.allowed) return reply.headers(answered.headers).code(200).send();
  if (answered.isToken) {
    throw new ServiceError('access_denied', 'the token does not say what is required here');
  }
  throw new ServiceError('invalid_token', 'the token is not active, or not meant for this place');
}

// RFC 6750 §2.1. Two of them are one too many: the proxy and what is behind it may each read another.
function bearerToken(request: FastifyRequest): string {
  const { rawHeaders } = request.raw;
  const count = rawHeaders.filter(
    (name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization',
  ).length;
  const [, token] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (count !== 1 || token === undefined) {
    throw new ServiceError('invalid_token', 'there must be one bearer token');
  }
  return token;
}
