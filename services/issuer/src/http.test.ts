import { withOneQuery } from '@mayfly/contracts/request-url';
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

test.each<[object, object | undefined, string]>([
  [{ lifetime: ['60', '600'] }, undefined, 'lifetime is given more than once'],
  [{ subject_claim: ['a', 'b'] }, undefined, 'subject_claim is given more than once'],
  [{ audience: 'a' }, { audience: 'b' }, 'audience is given more than once'],
  [{ lifetme: '600' }, undefined, 'lifetme cannot be asked for; allowed: audience, lifetime, subject_claim,'],
  [{}, { claim: ['task'] }, 'claim cannot be asked for'],
  [{ ['a'.repeat(40)]: '' }, undefined, 'what the request names cannot be asked for'],
  [{}, ['audience'], 'the body must be an object'],
])('%j with the body %j is refused, naming what is wrong', (query, body, message) => {
  expect(() => wishOf({ query, body })).toThrow(
    expect.objectContaining({ code: 'invalid_request', message: expect.stringContaining(message) }),
  );
});

test.each<[string, object, object | undefined, object]>([
  [
    "GitHub's, with a version of its own",
    { 'api-version': ['1', '2.0'], audience: 'a' },
    undefined,
    { audience: 'a' },
  ],
  ["Vela's", { 'api-version': '1', audience: ['a', 'b'] }, undefined, { audience: ['a', 'b'] }],
  [
    "Buildkite's",
    { 'api-version': '1' },
    { audience: 'a', lifetime: 600, claims: ['build_id'], subject_claim: 'job_id', aws_session_tags: ['x'] },
    {
      audience: 'a',
      lifetimeSeconds: 600,
      optionalClaims: ['build_id'],
      subjectClaim: 'job_id',
      awsSessionTags: ['x'],
    },
  ],
  ['a list of one', {}, { audience: ['a'] }, { audience: ['a'] }],
])('the request of a client is read: %s', (_, query, body, wish) => {
  expect(wishOf({ query, body })).toEqual(wish);
});

test.each([
  ['/token?api-version=1?audience=a', '/token?api-version=1&audience=a'],
  ['/token?api-version=1&audience=a?b', '/token?api-version=1&audience=a?b'],
  ['/token?audience=a?b', '/token?audience=a?b'],
  ['/token?api-version=1', '/token?api-version=1'],
])('the target %s is read as %s', (target, read) => {
  expect(withOneQuery(target)).toBe(read);
});
