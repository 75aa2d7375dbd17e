import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { PublicDocument } from './documents.ts';

/** For so long others may go on with a document while nobody here answers, seconds. */
const STALE_IF_ERROR = 86_400;
/** A key set is kept for 300 s, served stale for 60 more and has to reach every replica, seconds: at least so long before a key signs. */
const ON_THE_WAY = 600;

/** What every public answer says to browsers (Fetch Standard §3.3): anyone may read it. */
export const CORS = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'etag' } as const;

const PREFLIGHT = {
  ...CORS,
  'access-control-allow-methods': 'GET, HEAD',
  'access-control-allow-headers': '*, authorization',
  'access-control-max-age': '86400',
} as const;

/**
 * Adds a public document: GET, HEAD, conditional requests and the browsers' preflight. Of a key set it matters how long its keys
 * are published before they sign (seconds): no cache may give out an older one by then.
 */
export function documentRoute(
  http: FastifyInstance,
  path: string,
  document: () => PublicDocument | undefined,
  publishAhead = Number.POSITIVE_INFINITY,
): void {
  const stale = Math.min(STALE_IF_ERROR, publishAhead - ON_THE_WAY);
  const cacheControl = `public, max-age=300, stale-while-revalidate=60, stale-if-error=${Math.max(0, stale)}`;
  publicRoute(http, path, (request, reply) => {
    const found = document();
    if (!found) throw new ServiceError('temporarily_unavailable', 'the key set is not known yet');
    return sendDocument(request, reply, found, cacheControl);
  });
}

/** Adds an address that anyone may GET and HEAD, from a web page too. */
export function publicRoute(
  http: FastifyInstance,
  path: string,
  handler: (request: FastifyRequest, reply: FastifyReply) => unknown,
): void {
  const onRequest = (_request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    reply.headers(CORS);
    done();
  };
  http.route({ method: ['GET', 'HEAD'], url: path, onRequest, handler });
  http.options(path, (_request, reply) => reply.code(204).headers(PREFLIGHT).send());
  refuseOthers(http, path, ['GET', 'HEAD', 'OPTIONS']);
}

/** Sends a document, or 304 where the caller has these very bytes (RFC 9110 §13.1.2). */
export function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  { type, body, etag }: PublicDocument,
  cacheControl: string,
): FastifyReply {
  reply.headers({ 'cache-control': cacheControl, etag });
  const asked = request.headers['if-none-match'];
  if (asked !== undefined && matches(asked, etag)) return reply.code(304).send();
  // Else Fastify would add a charset, which these media types do not have.
  return reply.header('content-type', type).serializer(asItStands).send(body);
}

const asItStands = (body: string) => body;

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** Answers 405 to every other method than those, before the body is read (RFC 9110 §15.5.6). */
export function refuseOthers(http: FastifyInstance, path: string, methods: HTTPMethods[]): void {
  const refuse = (_request: FastifyRequest, reply: FastifyReply) =>
    reply.code(405).header('allow', methods.join(', ')).send({
      error: 'invalid_request',
      error_description: 'the method is not allowed at this address',
    });
  const others = METHODS.filter((method) => !methods.includes(method));
  const onRequest = async (request: FastifyRequest, reply: FastifyReply) => refuse(request, reply);
  http.route({ method: others, url: path, onRequest, handler: refuse });
}

// A list of tags, compared weakly.
function matches(header: string, etag: string): boolean {
  return header.split(',').some((tag) => {
    const trimmed = tag.trim();
    return trimmed === '*' || trimmed.replace(/^W\//, '') === etag;
  });
}
