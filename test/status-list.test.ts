import { decodeStatusList, type StatusList, statusAt } from '@mayfly/contracts/status-list';
import { createLocalJWKSet, createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { startedToken } from './introspect-callers.ts';
import { answerOf, knownAnswer } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;
let issuer: string;

beforeAll(async () => {
  // One of each on any engine: a second build-lifecycle would keep the projection fresh while the first is paused.
  system = await testSystem({ replicas: 1 });
  ci = await connectCi(system);
  issuer = `${system.baseUrl}/acme`;
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

type Reference = { idx: number; uri: string };

function referenceOf(token: string): Reference {
  const { status } = decodeJwt(token) as { status: { status_list: Reference } };
  return status.status_list;
}

/** Fetches from the publisher, until it knows. */
const asked = (uri: string, headers: Record<string, string> = {}) =>
  knownAnswer(async () => answerOf(await fetch(uri, { headers })));

/** Reads a status list as a relying party does: draft-ietf-oauth-status-list-21 §8.3. */
async function readList(uri: string) {
  const { status, headers, text } = await asked(uri, { accept: 'application/statuslist+jwt' });
  if (status !== 200) throw new Error(`${status} ${text}`);
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const { payload } = await jwtVerify(text, keys, { issuer, subject: uri, typ: 'statuslist+jwt' });
  const list = payload['status_list'] as StatusList;
  const bytes = decodeStatusList(list);
  return { payload, list, headers, at: (idx: number) => statusAt(bytes, list.bits, idx) };
}

test('the list that a token names says valid while its build runs and invalid after, and of no other build', async () => {
  const token = await startedToken(ci, { id: 'listed' });
  const { idx, uri } = referenceOf(token);
  const running = await eventually(async () => {
    const list = await readList(uri);
    return list.at(idx) === 0 && list;
  }, 'valid bit');

  expect(uri).toMatch(new RegExp(`^${issuer}/status-lists/\\d{13}-0$`));
  expect(running.payload).toMatchObject({ sub: uri, iss: issuer, ttl: 5 });
  expect((running.payload.exp ?? 0) - (running.payload.iat ?? 0)).toBe(10);
  expect(running.list).toMatchObject({ bits: 1, aggregation_uri: `${issuer}/status-lists` });
  expect([0, idx + 1, 9999, 65_535].map(running.at)).toEqual([1, 1, 1, 1]);
  expect(running.at(65_536)).toBeUndefined();

  await ci.finish('listed');
  await eventually(async () => (await readList(uri)).at(idx) === 1, 'invalid bit');
});

test('a list may be kept for its ttl and no longer, and is not sent again to whoever has it', async () => {
  const { uri } = referenceOf(await startedToken(ci, { id: 'cached' }));
  const first = await asked(uri);
  const etag = first.headers.get('etag') ?? '';

  expect(first.headers.get('content-type')).toBe('application/statuslist+jwt');
  expect(first.headers.get('cache-control')).toMatch(/^public, max-age=[45], must-revalidate$/);
  expect(first.headers.get('access-control-allow-origin')).toBe('*');
  const again = await eventually(async () => {
    const tag = (await fetch(uri, { method: 'HEAD' })).headers.get('etag') ?? '';
    const answer = await fetch(uri, { headers: { 'if-none-match': tag } });
    return answer.status === 304 && answer;
  }, '304');
  expect(again.headers.get('etag')).toMatch(/^"[\w-]{43}"$/);
  expect(etag).toMatch(/^"[\w-]{43}"$/);
});

test('the aggregation endpoint of the metadata names every list, and no other exists', async () => {
  const { uri } = referenceOf(await startedToken(ci, { id: 'aggregated' }));
  const metadata = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
    status_list_aggregation_endpoint: string;
  };
  const answer = await asked(metadata.status_list_aggregation_endpoint);

  expect(answer.body).toEqual({ status_lists: [uri] });
  expect(answer.headers.get('cache-control')).toBe('public, max-age=5');
  const others = ['1-0', `${uri.split('/').at(-1)?.slice(0, -1)}7`, 'x', '0-0', '1', '-1-0', '1-00'];
  for (const other of others) expect((await asked(`${issuer}/status-lists/${other}`)).status).toBe(404);
  expect((await fetch(`${uri}?time=1`)).status).toBe(501);
});

test('a status list is no ID token, and an ID token no status list', async () => {
  const token = await startedToken(ci, { id: 'confused' });
  const { text: list } = await asked(referenceOf(token).uri);
  const keys = createLocalJWKSet((await (await fetch(`${issuer}/jwks`)).json()) as never);

  await expect(jwtVerify(list, keys, { typ: 'JWT' })).rejects.toThrow('typ');
  await expect(jwtVerify(token, keys, { typ: 'statuslist+jwt' })).rejects.toThrow('typ');
});

test('no list is given out while nobody knows which builds run', async () => {
  const { uri, idx } = referenceOf(await startedToken(ci, { id: 'unknown' }));
  await system.pause('build-lifecycle');
  const refused = await eventually(async () => {
    const answer = await fetch(uri);
    return answer.status === 503 && answer;
  }, 'refusal');

  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('cache-control')).toBe('no-store');
  await system.resume('build-lifecycle');
  await eventually(async () => (await readList(uri).catch(() => undefined))?.at(idx) === 0, 'list again');
});
