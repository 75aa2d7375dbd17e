import { BUILD_LIFECYCLE_ROUTES } from '@mayfly/contracts/schema-routes-build-lifecycle';
import { createHttp } from '@mayfly/service-kit/http';
import type { JetStreamClient } from '@nats-io/jetstream';
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import { eventRoutes } from './http.ts';

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;

test('the published OpenAPI document names every address that is served, and no other', () => {
  const http = createHttp(silent);
  const served: string[] = [];
  http.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) if (one !== 'HEAD') served.push(`${one} ${url}`);
  });

  eventRoutes(http, {
    js: {} as JetStreamClient,
    policy: { sources: {} },
    authenticate: () => undefined,
    beat: () => Promise.resolve({}),
    now: () => 0,
  });

  const documented = BUILD_LIFECYCLE_ROUTES.flatMap(({ methods, path }) =>
    methods.map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(new Set(served)).toEqual(new Set(documented));
});
