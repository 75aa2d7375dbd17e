import { JWKS_PUBLISHER_ROUTES } from '@mayfly/contracts/schema-routes-jwks-publisher';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { faultsOfBody } from './documented.ts';
import { knownRun, runMayfly } from './exec-mayfly.ts';
import { API, ask, askOnce, basic, forgedToken, startedToken } from './introspect-callers.ts';
import { commandAs } from './operator.ts';
import { type Answer, introspect, introspectOnce, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const POLICY = `
sources:
  acme:
    audiences: [${API}, sts.amazonaws.com]
    lifetime: 5m
    max_lifetime: 15m
    build_timeout: 1h
    algorithms: { ${API}: ES256 }
  other:
    audiences: [${API}]
  third:
    audiences: [https://elsewhere.example.com]
relying_parties:
  api: { audiences: [${API}] }
  aws: { audiences: [sts.amazonaws.com] }
`;
const INACTIVE = '{"active":false}';

let system: TestSystem;
let ci: Ci;
let token: string;
/** Its build runs on when it expires. */
let expiring: string;

beforeAll(async () => {
  system = await testSystem({ policy: POLICY, replicas: 2 });
  ci = await connectCi(system);
  token = await startedToken(ci, { id: 'run/1' });
  const short = await requestToken(system, await ci.heard('run/1'), `audience=${API}&lifetime=10`);
  expiring = short.body['value'] as string;
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

test('an active token is told with its claims and the facts of its build, and kept by nobody', async () => {
  const { status, headers, body } = await introspect(system, token);

  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  expect(headers.get('cache-control')).toBe('no-store');
  expect(faultsOfBody(JWKS_PUBLISHER_ROUTES, '/{source}/introspect', body)).toEqual([]);
  expect(body).toMatchObject({ active: true, iss: `${system.baseUrl}/acme`, aud: API });
  expect(body['build']).toMatchObject({ id: 'run/1', attempt: 1 });
  const { sub, iat, exp } = body;
  expect([sub, iat, exp].map((one) => typeof one)).toEqual(['string', 'number', 'number']);
});

test('whoever does not prove to be a relying party is told nothing, before its question is read', async () => {
  const wrong = [null, 'Basic', 'Basic !', 'Bearer x', basic(system).slice(0, -6), `${basic(system)}AAAA`];
  const encoded = ['api:', 'nobody:x', `aws:${system.secret('relying-party-api')}`].map(
    (pair) => `Basic ${Buffer.from(pair).toString('base64')}`,
  );

  for (const authorization of [...wrong, ...encoded]) {
    const { status, headers, body } = await ask(system, `token=${token}`, {
      authorization,
      type: 'text/odd',
    });
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toMatch(/^Basic realm=/);
    expect(body).toMatchObject({ error: 'invalid_client' });
  }
});

test('credentials are taken form-encoded as RFC 6749 says, and as they stand', async () => {
  const secret = system.secret('relying-party-api');
  const percent = [...secret].map((one) => `%${one.charCodeAt(0).toString(16)}`).join('');

  for (const pair of [`api:${secret}`, `%61pi:${secret}`, `api:${percent}`]) {
    const authorization = `basic ${Buffer.from(pair).toString('base64')}`;
    expect((await ask(system, `token=${token}`, { authorization })).body['active']).toBe(true);
  }
});

test('an operator sees what was asked, by what was answered', async () => {
  const counted = async (name: string, outcome: string) => {
    const text = await (await fetch(`${system.opsUrlOf('jwks-publisher')}/metrics`)).text();
    return Number(new RegExp(`^${name}\\{outcome="${outcome}"\\} (\\d+)$`, 'm').exec(text)?.[1]);
  };
  const series = [
    ['mayfly_introspections_total', 'active'],
    ['mayfly_introspections_total', 'not_ours'],
    ['mayfly_tokens_read_total', 'unknown_key'],
    ['mayfly_tokens_read_total', 'forged'],
    ['mayfly_callers_total', 'unknown'],
    ['mayfly_documents_served_total', 'key_set'],
  ] as const;
  const before = await Promise.all(series.map(([name, outcome]) => counted(name, outcome)));
  const issuer = `${system.baseUrl}/acme`;
  await introspect(system, token);
  await introspect(system, await forgedToken(decodeProtectedHeader(token).kid ?? '', issuer));
  await introspect(system, await forgedToken('no-such-key', issuer));
  await ask(system, 'token=x', { authorization: null });
  await fetch(`${issuer}/jwks`);

  const after = await Promise.all(series.map(([name, outcome]) => counted(name, outcome)));
  expect(after.map((count, at) => count - (before[at] ?? Number.NaN))).toEqual([1, 2, 1, 1, 1, 1]);
});

test('mayfly token inspect says which of them it is, to whom may know it', async () => {
  const finished = await startedToken(ci, { id: 'inspected' });
  const forged = await forgedToken(decodeProtectedHeader(token).kid ?? '', `${system.baseUrl}/acme`);
  const credentials = ['--relying-party', 'api', '--secret-file', system.secretFile('relying-party-api')];
  const inspect = async (input: string) => {
    const args = ['token', 'inspect', '--json', '--issuer', `${system.baseUrl}/acme`, ...credentials];
    const { code, stdout } = await knownRun(() => runMayfly(args, { input }));
    const { signature, active, why } = JSON.parse(stdout).issuer;
    return { code, signature, active, why };
  };

  const running = await inspect(finished);
  await ci.finish('inspected');
  await eventually(async () => (await introspect(system, finished)).text === INACTIVE, 'inactive token');

  const [over, counterfeit] = await Promise.all([inspect(finished), inspect(forged)]);
  expect(running).toEqual({ code: 0, signature: 'good', active: true });
  expect(over).toEqual({
    ...{ code: 4, signature: 'good', active: false },
    why: [expect.stringMatching(/^its build is finished \(\w+\)$/)],
  });
  expect(counterfeit).toMatchObject({
    ...{ code: 4, signature: 'bad', active: false },
    why: expect.arrayContaining([expect.stringMatching(/^its signature is bad/)]),
  });
});

test('a question that is none is refused in the shape of RFC 6749', async () => {
  const cases: [string | null, Parameters<typeof ask>[2], number, string][] = [
    ['', {}, 400, 'invalid_request'],
    [null, { type: null }, 400, 'invalid_request'],
    ['token=', {}, 400, 'invalid_request'],
    ['tokens=x', {}, 400, 'invalid_request'],
    [`token=${token}&token=${token}`, {}, 400, 'invalid_request'],
    [`token=${token}&one_time=maybe`, {}, 400, 'invalid_request'],
    [`token=${token}&one_time=true&one_time=true`, {}, 400, 'invalid_request'],
    [JSON.stringify({ token }), { type: 'application/json' }, 415, 'unsupported_media_type'],
    [`token=${token}`, { type: 'text/plain' }, 415, 'unsupported_media_type'],
    [`token=${token}`, { type: null }, 415, 'unsupported_media_type'],
    [`token=${'x'.repeat(17_000)}`, {}, 413, 'payload_too_large'],
    [null, { method: 'GET' }, 405, 'invalid_request'],
    [`token=${token}`, { method: 'PUT' }, 405, 'invalid_request'],
  ];

  for (const [body, asked, status, error] of cases) {
    const answer = await ask(system, body, asked);
    expect([answer.status, answer.body['error']]).toEqual([status, error]);
    expect(answer.body).toHaveProperty('error_description');
  }
});

test('hints and parameters that nobody knows change nothing', async () => {
  for (const rest of [
    'token_type_hint=access_token',
    'token_type_hint=total+bs',
    'x=y&__proto__=1',
    'one_time=false',
  ]) {
    expect((await ask(system, `${rest}&token=${token}`)).body['active']).toBe(true);
  }
  const type = 'application/x-www-form-urlencoded; charset=utf-8';
  expect((await ask(system, `token=${token}`, { type })).body['active']).toBe(true);
});

test('of fifty who use a token up at once, at two processes, one is told that it is active', async () => {
  const isUsed = ({ body }: Answer) => body['active'] === true;
  let oneTime = '';
  const used = await eventually(async () => {
    oneTime = await usableToken('once');
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        askOnce(system, `one_time=true&token=${oneTime}`, {
          at: index % 2 === 0 ? 'jwks-publisher' : 'jwks-publisher-2',
        }),
      ),
    );
    expect(answers.filter(isUsed).length).toBeLessThanOrEqual(1);
    // The one that was to be told may have been told that nobody knows.
    return answers.every(({ status }) => status !== 503) && answers;
  }, 'fifty answers that know');

  expect(used.filter(isUsed)).toHaveLength(1);
  expect(used.filter(({ text }) => text === INACTIVE)).toHaveLength(49);
  expect((await introspect(system, oneTime)).body['active']).toBe(true);
});

test('after Redis has forgotten who was used up, no token from before can be used up', async () => {
  const before = await usableToken('forgotten');
  await system.kill('redis');
  await system.start('redis');
  await eventually(async () => (await introspect(system, before)).status === 200, 'answer after the restart');

  expect((await introspect(system, before)).body['active']).toBe(true);
  expect((await ask(system, `one_time=true&token=${before}`)).text).toBe(INACTIVE);
  await usableToken('after');
});

test('a build says whether it runs, since when and why not, to whoever may be shown its tokens', async () => {
  const path = `/builds/${encodeURIComponent('run/1')}`;
  const build = (asked = {}) => ask(system, null, { path, method: 'GET', type: null, ...asked });
  const running = await build();
  await startedToken(ci, { id: 'over' });
  await ci.finish('over');
  const over = () => build({ path: '/builds/over' });
  await eventually(async () => (await over()).body['state'] === 'finished', 'end');

  expect(running.body).toMatchObject({ id: 'run/1', attempt: 1, state: 'running' });
  expect(running.body['started_at']).toBeLessThan(running.body['deadline'] as number);
  expect(running.headers.get('cache-control')).toBe('no-store');
  expect(await build({ authorization: null })).toMatchObject({ status: 401 });
  expect(await build({ source: 'third' })).toMatchObject({ status: 404 });
  const unknown = await build({ path: '/builds/unknown' });
  expect(unknown.status).toBe(404);
  expect((await over()).body).toMatchObject({
    state: 'finished',
    attempt: 1,
    reason: 'success',
  });
  expect((await build({ path: '/builds/over', source: 'third' })).text).toBe(unknown.text);
});

test('bad credentials without end are refused cheaply, and honest callers still answered', async () => {
  const authorization = `Basic ${Buffer.from('api:guess').toString('base64')}`;
  const refused = await Promise.all(
    Array.from({ length: 400 }, () => ask(system, 'token=x', { authorization })),
  );
  const statuses = new Set(refused.map(({ status }) => status));

  expect(statuses).toEqual(new Set([401, 429]));
  expect(refused.find(({ status }) => status === 429)?.body['error']).toBe('slow_down');
  expect((await introspect(system, token)).body['active']).toBe(true);
});

test('while Redis is paused or gone nobody is told that a token is active, and within a quarter of a second', async () => {
  /** Gives how long the quickest of five answers took, ms: each may wait for the machine as well. */
  const quickest = async () => {
    const took: number[] = [];
    for (let times = 0; times < 5; times++) {
      const started = performance.now();
      const { status, headers } = await introspectOnce(system, token);
      took.push(performance.now() - started);
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    }
    return Math.min(...took);
  };
  await introspect(system, token);
  await system.pause('redis');
  expect(await quickest()).toBeLessThan(250);
  await system.resume('redis');
  await eventually(async () => (await introspect(system, token)).status === 200, 'answer after the pause');

  await system.kill('redis');
  expect(await quickest()).toBeLessThan(250);
  await system.start('redis');
  await eventually(async () => (await introspect(system, token)).body['active'], 'active token');
});

test('unknown, foreign, forged, expired, revoked and finished are one answer, byte for byte', async () => {
  const finished = await startedToken(ci, { id: 'finished' });
  const revoked = await startedToken(ci, { id: 'revoked' });
  await ci.finish('finished');
  // Redis has just come back: a command that is told "not now" may have ended the build all the same.
  const ended = await commandAs(system, 'builds.revoke', { source: 'acme', id: 'revoked', attempt: 1 });
  expect(['operator', 'not_found']).toContain(ended['reason'] ?? ended['error']);
  for (const one of [finished, revoked, expiring])
    await eventually(async () => (await introspect(system, one)).text === INACTIVE, 'inactive token', 40_000);
  const forged = await forgedToken(decodeProtectedHeader(token).kid ?? '', `${system.baseUrl}/acme`);
  const grant = await ci.heard('run/1');
  const unknown = ['x', 'a.b.c', ' ', `${token}=`, `${token} `, token.slice(0, -1), 'é', 'x'.repeat(9000)];

  const answers = await Promise.all([
    ...[...unknown, finished, revoked, expiring, forged, grant.data.id_token_request_token].map((one) =>
      introspect(system, one),
    ),
    introspect(system, token, { party: 'aws' }),
    introspect(system, token, { source: 'other' }),
  ]);

  const shape = ({ status, headers, text }: (typeof answers)[number]) => {
    const seen = [...headers].filter(([name]) => name !== 'date' && !name.includes('keep-alive'));
    return JSON.stringify([status, seen, text]);
  };
  expect(new Set(answers.map(shape)).size).toBe(1);
  expect(answers[0]).toMatchObject({ status: 200, text: INACTIVE });
});

/** Starts builds until the token of one is younger than the memory of used tokens; gives another token of that one. */
async function usableToken(name: string): Promise<string> {
  let count = 0;
  return await eventually(async () => {
    count += 1;
    const id = `${name}-${count}`;
    const first = await startedToken(ci, { id });
    const { body } = await ask(system, `one_time=true&token=${first}`);
    const again = await requestToken(system, await ci.heard(id), `audience=${API}`);
    return body['active'] === true && (again.body['value'] as string);
  }, 'token that can be used up');
}
