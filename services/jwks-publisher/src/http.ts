import type { FastifyInstance } from 'fastify';
import type { Callers } from './callers.ts';
import type { PublicDocument } from './documents.ts';
import type { Feed } from './feed.ts';
import { type BuildFinder, buildRoute } from './http-builds.ts';
import { documentRoute } from './http-documents.ts';
import { type FeedLimit, feedRoute } from './http-feed.ts';
import { type Introspector, introspectionRoute } from './http-introspection.ts';
import { type ServedLists, statusListRoutes } from './http-status-lists.ts';
import { type ProxyVerifier, verifyRoutes } from './http-verify.ts';

/** One issuer, as it is served: the path of its URL, its documents, and what its other addresses need. */
export type ServedIssuer = {
  source: string;
  issuer: string;
  path: string;
  metadataPath: string;
  discovery: PublicDocument;
  keySet(): PublicDocument | undefined;
  introspector: Introspector;
  builds: BuildFinder;
  lists: ServedLists;
  verifier: ProxyVerifier;
};

/** Adds the public routes of every issuer. */
export function issuerRoutes(
  http: FastifyInstance,
  issuers: readonly ServedIssuer[],
  callers: Callers,
  feed: Feed,
  limit: FeedLimit,
): void {
  for (const issuer of issuers) {
    const discovery = () => issuer.discovery;
    documentRoute(http, `${issuer.path}/.well-known/openid-configuration`, discovery);
    documentRoute(http, issuer.metadataPath, discovery);
    documentRoute(http, `${issuer.path}/jwks`, issuer.keySet);
    introspectionRoute(http, `${issuer.path}/introspect`, issuer.introspector, callers);
    buildRoute(http, `${issuer.path}/builds`, issuer.builds, callers);
    statusListRoutes(http, `${issuer.path}/status-lists`, issuer.lists);
    feedRoute(http, `${issuer.path}/revocations`, issuer, feed, limit);
    verifyRoutes(http, `${issuer.path}/verify`, issuer.verifier);
  }
}
