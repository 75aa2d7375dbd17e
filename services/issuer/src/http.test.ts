import { ISSUER_ROUTES, TokenWish } from '@mayfly/contracts/schema-routes-issuer';
import { createHttp } from '@mayfly/service-kit/http';
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import type { Granter } from './grant.ts';
import { issuerRoutes } from './http.ts';
import type { IssueLog } from './log.ts';
import { wishOf } from './token-request.ts';

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;

test('the published OpenAPI document names every address that is served, and no other', async () => {
  const http = createHttp(silent);
  const served: string[] = [];
  http.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) if (one !== 'HEAD') served.push(`${one} ${url}`);
  });

  await issuerRoutes(http, {
    granter: {} as Granter,
    requestTokenKeys: [],
    authenticate: () => undefined,
    reportLeak: async () => undefined,
    log: {} as IssueLog,
  });

  const documented = ISSUER_ROUTES.flatMap(({ methods, path }) =>
    methods.map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(new Set(served)).toEqual(new Set(documented));
});

test('everything that the document lets a runner ask for is heard', () => {
  const heard = Object.keys(TokenWish).filter(
    (name) => Object.keys(wishOf({ query: { [name]: '60' }, body: undefined })).length === 1,
  );

  expect(heard).toEqual(Object.keys(TokenWish));
});

test.each<[object, string]>([
  [{ lifetime: '5m' }, 'a lifetime that is no number'],
  [{ lifetime: '-1' }, 'a lifetime below nought'],
  [{ claims: { a: 'b' } }, 'claims that are no text'],
  [{ audience: [null] }, 'an audience that is no text'],
])('%j is refused: %s', (query, _) => {
  expect(() => wishOf({ query, body: undefined })).toThrow(
    expect.objectContaining({ code: 'invalid_request' }),
  );
});
