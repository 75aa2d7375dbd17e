import type { FastifyInstance } from 'fastify';
import type { Callers } from './callers.ts';
import type { PublicDocument } from './documents.ts';
import { type BuildFinder, buildRoute } from './http-builds.ts';
import { documentRoute } from './http-documents.ts';
import { type Feeds, feedRoute } from './http-feed.ts';
import { type Introspector, introspectionRoute } from './http-introspection.ts';
import { type ServedLists, statusListRoutes } from './http-status-lists.ts';
import { type ProxyVerifier, verifyRoutes } from './http-verify.ts';
import type { Metrics } from './metrics.ts';

/** One issuer, as it is served: the path of its URL, its documents, and what its other addresses need. */
export type ServedIssuer = {
  source: string;
  issuer: string;
  path: string;
  metadataPath: string;
  discovery: PublicDocument;
  keySet(): PublicDocument | undefined;
  /** How long a key is published before it signs, seconds. */
  publishAhead: number;
  introspector: Introspector;
  builds: BuildFinder;
  lists: ServedLists;
  verifier: ProxyVerifier;
};

/** What all issuers have in common: who may ask, the feeds, and what counts the answers. */
export type Shared = { callers: Callers; feeds: Feeds; metrics: Metrics };

/** Adds the public routes of every issuer. */
export function issuerRoutes(
  http: FastifyInstance,
  issuers: readonly ServedIssuer[],
  { callers, feeds, metrics }: Shared,
): void {
  for (const issuer of issuers) {
    const discovery = () => {
      metrics.documents('metadata');
      return issuer.discovery;
    };
    const keySet = () => {
      metrics.documents('key_set');
      return issuer.keySet();
    };
    documentRoute(http, `${issuer.path}/.well-known/openid-configuration`, discovery);
    documentRoute(http, issuer.metadataPath, discovery);
    documentRoute(http, `${issuer.path}/jwks`, keySet, issuer.publishAhead);
    introspectionRoute(http, `${issuer.path}/introspect`, issuer.introspector, { callers, metrics });
    buildRoute(http, `${issuer.path}/builds`, issuer.builds, callers);
    statusListRoutes(http, `${issuer.path}/status-lists`, issuer.lists, metrics);
    feedRoute(http, `${issuer.path}/revocations`, issuer, feeds);
    verifyRoutes(http, `${issuer.path}/verify`, issuer.verifier, metrics);
  }
}
