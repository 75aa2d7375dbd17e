import { createSecretKey } from 'node:crypto';
import { deriveRequestToken } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import { withOneQuery } from '@mayfly/contracts/request-url';
import { ISSUER_ROUTES, TokenWish } from '@mayfly/contracts/schema-routes-issuer';
import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { createHttp } from '@mayfly/service-kit/http';
import type { Logger } from 'pino';
import { expect, test } from 'vitest';
import type { Granter } from './grant.ts';
import { issuerRoutes } from './http.ts';
import type { IssueLog } from './log.ts';
import { wishOf } from './token-request.ts';

const silent = { debug: () => undefined, error: () => undefined } as unknown as Logger;

/** What routes need that are looked at, and not asked for anything. */
const OF_NOBODY: Parameters<typeof issuerRoutes>[1] = {
  granter: {} as Granter,
  requestTokenKeys: [],
  authenticate: () => undefined,
  reportLeak: async () => undefined,
  log: {} as IssueLog,
};

test('the published OpenAPI document names every address that is served, and no other', async () => {
  const http = createHttp(silent);
  const served: string[] = [];
  http.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) if (one !== 'HEAD') served.push(`${one} ${url}`);
  });

  await issuerRoutes(http, OF_NOBODY);

  const documented = ISSUER_ROUTES.flatMap(({ methods, path }) =>
    methods.map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(new Set(served)).toEqual(new Set(documented));
});

test('a HEAD, whose answer nobody reads, gets no token', async () => {
  const http = createHttp(silent);
  await issuerRoutes(http, OF_NOBODY);

  const { statusCode, headers } = await http.inject({ method: 'HEAD', url: '/token?audience=a' });

  expect([statusCode, headers['allow']]).toEqual([405, 'GET, POST']);
});

const LIFE = { source: 'acme', id: '1', attempt: 1 };
const KEY = createSecretKey(Buffer.alloc(32, 7));
const RECORD = {
  ...{ state: 'running' as const, attempt: 1, seq: 1 },
  build: {
    ...{ source: 'acme', attempt: 1, seq: 1, digest: 'd', started_at: 0, deadline: 3_600_000 },
    id_tokens: { A: { aud: 'a' } },
    build: { id: '1', workflow: { id: 'w', name: 'nightly' }, execution: { id: '2' } },
  },
};
const STREAM = '2026-11-20T06:00:00Z';

/** Routes of an issuer that has found a build before; `does` says what it finds now, and everything that it does is written down. */
async function afterFinding(does: {
  find(): Promise<object | undefined>;
  isAtHand?(): boolean;
  take?(): unknown;
  isKnown?: boolean;
  clock?(): number;
}) {
  const done: string[] = [];
  let last: typeof RECORD | undefined = RECORD;
  const source = {
    policy: { audiences: ['a'] },
    profile: await readProfile(PROFILES_DIR, 'n8n'),
    watched: [],
  };
  const note =
    <T>(what: string, result: T) =>
    async () => {
      done.push(what);
      return result;
    };
  const granter = {
    sources: new Map([['acme', source]]),
    builds: {
      find: async () => {
        done.push('find');
        return { record: await does.find(), now: 0, stream: STREAM };
      },
      last: () => last && { record: last, stream: STREAM },
      forget: () => {
        last = undefined;
      },
    },
    names: { confirm: note('confirm', undefined), isKnown: () => does.isKnown ?? true },
    signer: { sign: note('sign', 'signed') },
    budget: {
      take: async () => {
        done.push('take');
        does.take?.();
        return 3;
      },
      giveBack: (_life: string, number: number) => void done.push(`give back ${number}`),
      isAtHand: () => does.isAtHand?.() ?? true,
      countAhead: () => void done.push('count ahead'),
    },
    ...{ baseUrl: 'https://id.example', now: () => 0, clock: () => does.clock?.() ?? 0, newId: () => 'jti' },
  } as unknown as Granter;
  const http = createHttp(silent);
  const log = { issued: () => void done.push('log'), refused: () => undefined } as unknown as IssueLog;
  const edge = {
    granter,
    requestTokenKeys: [KEY],
    authenticate: () => undefined,
    reportLeak: async () => undefined,
  };
  await issuerRoutes(http, { ...edge, log });
  const ask = async (token = deriveRequestToken(LIFE, 'd', KEY)) => {
    done.length = 0;
    const { statusCode } = await http.inject({
      url: '/token?audience=a',
      headers: { authorization: `Bearer ${token}` },
    });
    return statusCode;
  };
  return { ask, done };
}

test('a build that was found before is issued to while it is found again', async () => {
  const { promise, resolve } = Promise.withResolvers<object>();
  const { ask, done } = await afterFinding({ find: () => promise });
  const answer = ask();
  await expect.poll(() => done).toEqual(['find', 'take', 'sign']);

  resolve(RECORD);
  expect(await answer).toBe(200);
  expect(done).toEqual(['find', 'take', 'sign', 'count ahead', 'log']);
});

test('a token that was signed long after its build was found to run goes to nobody, and is not counted', async () => {
  let clock = 0;
  const { ask, done } = await afterFinding({
    find: async () => RECORD,
    isAtHand: () => false,
    // As a process does that is paused: its clock goes on.
    take() {
      clock += 2501;
    },
    clock: () => clock,
  });

  expect(await ask()).toBe(503);
  await expect.poll(() => done).toEqual(['find', 'take', 'sign', 'give back 3']);
});

test('a request token that is not the build’s has nothing done but to look', async () => {
  const { ask, done } = await afterFinding({ find: async () => RECORD });
  const forged = deriveRequestToken(LIFE, 'd', createSecretKey(Buffer.alloc(32, 8)));

  expect(await ask(forged)).toBe(401);
  expect(done).toEqual(['find']);
});

test('whoever names another attempt changes nothing for the one that runs', async () => {
  const { promise, resolve } = Promise.withResolvers<object>();
  let found: Promise<object> = Promise.resolve(RECORD);
  const { ask, done } = await afterFinding({ find: () => found });
  expect(await ask(deriveRequestToken({ ...LIFE, attempt: 2 }, 'd', KEY))).toBe(401);

  found = promise;
  const answer = ask();
  await expect.poll(() => done).toEqual(['find', 'take', 'sign']);
  resolve(RECORD);
  expect(await answer).toBe(200);
});

test('of several requests at once as many are begun with as there are numbers at hand', async () => {
  const { promise, resolve } = Promise.withResolvers<object>();
  let atHand = 1;
  const { ask, done } = await afterFinding({
    find: () => promise,
    isAtHand: () => atHand > 0,
    take: () => atHand--,
  });
  const answers = Promise.all([ask(), ask(), ask()]);
  await expect.poll(() => done.filter((one) => one === 'find').length).toBe(3);
  expect(done.filter((one) => one === 'take')).toEqual(['take']);

  resolve(RECORD);
  expect(await answers).toEqual([200, 200, 200]);
});

test('where many ask at once the first eight are begun with, and the others once they are found', async () => {
  const { promise, resolve } = Promise.withResolvers<object>();
  const { ask, done } = await afterFinding({ find: () => promise });
  const answers = Promise.all(Array.from({ length: 10 }, () => ask()));
  await expect.poll(() => done.filter((one) => one === 'find').length).toBe(10);
  expect(done.filter((one) => one === 'take').length).toBe(8);

  resolve(RECORD);
  expect(new Set(await answers)).toEqual(new Set([200]));
  expect(done.filter((one) => one === 'take').length).toBe(10);
});

test.each([
  ['a number of which is not at hand', { isAtHand: () => false }],
  ['a name of which has to be asked for', { isKnown: false }],
])('for a build %s nothing is done before it is found', async (_, state) => {
  const { ask, done } = await afterFinding({ find: async () => undefined, ...state });

  expect(await ask()).toBe(401);
  expect(done).toEqual(['find']);
});

test.each([
  ['that is over', 401, async () => undefined],
  [
    'of which nobody knows',
    503,
    () => Promise.reject(new ServiceError('temporarily_unavailable', 'not just now')),
  ],
])('of a build %s a token is begun once, and goes to nobody', async (_, status, find) => {
  const { ask, done } = await afterFinding({ find });

  expect(await ask()).toBe(status);
  await expect.poll(() => done).toEqual(['find', 'take', 'sign', 'give back 3']);
  expect(await ask()).toBe(status);
  expect(done).toEqual(['find']);
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
