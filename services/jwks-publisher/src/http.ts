import formbody from '@fastify/formbody';
import { ServiceError } from '@mayfly/contracts/errors';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Authenticate } from './credentials.ts';
import type { PublicDocument } from './documents.ts';
import { type Introspector, introspect } from './introspect.ts';

/** One issuer, as it is served: the path of its URL, its metadata, its key set, and what introspection needs. */
export type ServedIssuer = {
  path: string;
  metadataPath: string;
  discovery: PublicDocument;
  keySet(): PublicDocument | undefined;
  introspector: Introspector;
};

const CACHE_CONTROL = 'public, max-age=300, stale-while-revalidate=60, stale-if-error=86400';

/** Adds the public routes of every issuer: metadata at both well-known paths, the key set, introspection. */
export async function issuerRoutes(
  http: FastifyInstance,
  issuers: ServedIssuer[],
  authenticate: Authenticate,
): Promise<void> {
  await http.register(formbody, { bodyLimit: 16 * 1024 });
  // Some relying parties send a content type with a GET; a body that nobody asked for is not looked at.
  for (const issuer of issuers) {
    const discovery = () => issuer.discovery;
    documentRoute(http, `${issuer.path}/.well-known/openid-configuration`, 'application/json', discovery);
    documentRoute(http, issuer.metadataPath, 'application/json', discovery);
    documentRoute(http, `${issuer.path}/jwks`, 'application/jwk-set+json', issuer.keySet);
    http.post(`${issuer.path}/introspect`, async (request, reply) => {
      const caller = authenticate(request.headers.authorization);
      if (!caller) throw new ServiceError('invalid_client', 'the caller is not a known relying party');
      const answer = await introspect(tokenOf(request), caller, issuer.introspector);
      return reply.header('cache-control', 'no-store').header('pragma', 'no-cache').send(answer);
    });
  }
}

function documentRoute(
  http: FastifyInstance,
  path: string,
  type: string,
  document: () => PublicDocument | undefined,
) {
  http.route({
    method: ['GET', 'HEAD'],
    url: path,
    handler: (request, reply) => sendDocument(request, reply, type, document()),
  });
}

function sendDocument(
  request: FastifyRequest,
  reply: FastifyReply,
  type: string,
  document: PublicDocument | undefined,
) {
  if (!document) throw new ServiceError('temporarily_unavailable', 'the key set is not known yet');
  reply.headers({ 'cache-control': CACHE_CONTROL, etag: document.etag, 'access-control-allow-origin': '*' });
  if (matches(request.headers['if-none-match'], document.etag)) return reply.code(304).send();
  return reply.type(type).send(document.body);
}

// RFC 9110 §13.1.2: a list of tags, compared weakly.
function matches(header: string | undefined, etag: string): boolean {
  return (
    header?.split(',').some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etag) ?? false
  );
}

function tokenOf(request: FastifyRequest): string {
  const { token } = (request.body ?? {}) as { token?: unknown };
  if (typeof token !== 'string' || token === '') {
    throw new ServiceError('invalid_request', 'the parameter token must be given once');
  }
  return token;
}
