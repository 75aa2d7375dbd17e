import { JWKS_PUBLISHER_ROUTES } from '@mayfly/contracts/schema-routes-jwks-publisher';
import { createHttp } from '@mayfly/service-kit/http';
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { issuerRoutes, type ServedIssuer, type Shared } from './http.ts';
import { documentRoute, refuseOthers } from './http-documents.ts';

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;

/** An issuer of which only the addresses matter. */
const issuer = {
  source: 'acme',
  issuer: 'https://mayfly.example.com/acme',
  path: '/{source}',
  metadataPath: '/.well-known/oauth-authorization-server/{source}',
  verifier: { questions: new Map([['{name}', { audience: 'x' }]]) },
} as unknown as ServedIssuer;

test('the published OpenAPI document names every address that is served, and no other', async () => {
  const http = createHttp(silent);
  const served: string[] = [];
  http.addHook('onRoute', ({ method, url, handler }) => {
    // What answers 405 is not served.
    if (handler.name === REFUSAL) return;
    const path = url.replace(/:(\w+)/g, '{$1}').replace('/*', '/{path}');
    for (const one of [method].flat()) if (!UNSAID.has(one)) served.push(`${one} ${path}`);
  });

  const callers = { authenticate: async () => undefined };
  issuerRoutes(http, [issuer], { callers, feeds: {}, metrics: {} } as unknown as Shared);
  await http.ready();

  const documented = JWKS_PUBLISHER_ROUTES.flatMap(({ methods, path }) =>
    methods.map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(new Set(served)).toEqual(new Set(documented));
});

/** HEAD goes with GET, OPTIONS with every public document. */
const UNSAID = new Set(['HEAD', 'OPTIONS']);

/** The name of what answers 405. */
const REFUSAL = await (async () => {
  let name = '';
  const http = createHttp(silent);
  http.addHook('onRoute', ({ handler }) => {
    name = handler.name;
  });
  refuseOthers(http, '/', ['GET']);
  await http.ready();
  return name;
})();

test('a key set is given out by no cache for longer than its keys are published before they sign', async () => {
  const staleFor = async (publishAhead?: number) => {
    const http = createHttp(silent);
    const document = { type: 'application/jwk-set+json', body: '{}', etag: '"x"' };
    documentRoute(http, '/jwks', () => document, publishAhead);
    const { headers } = await http.inject('/jwks');
    return headers['cache-control'];
  };

  const soFar = 'public, max-age=300, stale-while-revalidate=60, stale-if-error=';
  expect(await staleFor()).toBe(`${soFar}86400`);
  expect(await staleFor(26 * 3600)).toBe(`${soFar}86400`);
  expect(await staleFor(3600)).toBe(`${soFar}3000`);
  expect(await staleFor(600)).toBe(`${soFar}0`);
});
