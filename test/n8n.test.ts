import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { eventually } from './ci.ts';
import { startApi, type TestApi } from './n8n-api.ts';
import { loadN8n, type N8nDriver, type WorkflowData } from './n8n-driver.ts';
import { type TestSystem, testSystem } from './system.ts';

const API = 'https://api.example.com';
const POLICY = `
sources: { n8n: { profile: n8n, audiences: [${API}] } }
relying_parties: { api: { audiences: [${API}] } }
`;

let system: TestSystem;
let n8n: N8nDriver;
let api: TestApi;
let directory: string;
beforeAll(async () => {
  system = await testSystem({ policy: POLICY });
  directory = mkdtempSync(join(tmpdir(), 'n8n-'));
  const secretFile = join(directory, 'secret');
  writeFileSync(secretFile, system.secret('source-n8n'), { mode: 0o600 });
  vi.stubEnv('MAYFLY_EVENTS_URL', system.urlOf('build-lifecycle'));
  vi.stubEnv('MAYFLY_ISSUER_URL', system.urlOf('issuer'));
  vi.stubEnv('MAYFLY_SOURCE', 'n8n');
  vi.stubEnv('MAYFLY_SOURCE_SECRET_FILE', secretFile);
  n8n = loadN8n();
  api = await startApi(system, API);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true });
  await api[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** A workflow with a node that calls the API, as n8n loads it. */
function workflow(id = 'w6eOdKV1', more: Partial<WorkflowData> = {}): WorkflowData {
  const node = { name: 'Call', type: 'CUSTOM.mayfly', parameters: { audience: API, url: api.url } };
  return { id, name: 'Nightly', nodes: [node], settings: { executionOrder: 'v1' }, ...more };
}

const markOf = (snapshot: string) =>
  String((JSON.parse(snapshot) as WorkflowData).settings?.['mayflyExecution']).split('.')[0];

async function buildState(id: string): Promise<unknown> {
  const authorization = `Basic ${Buffer.from(`api:${system.secret('relying-party-api')}`).toString('base64')}`;
  const response = await fetch(`${system.urlOf('jwks-publisher')}/n8n/builds/${id}`, {
    headers: { authorization },
  });
  return ((await response.json()) as { state?: string }).state;
}

const executionOf = ({ body }: { body: unknown }) => (body as { execution: string }).execution;
const active = (token: string | undefined) => api.isActive(token ?? '');
const ended = (token: string | undefined) => eventually(async () => (await active(token)) === false, 'end');

test('two executions of one workflow at once have an identity each, and one ending leaves the other', async () => {
  const before = JSON.stringify(process.env);
  const [first, second] = await Promise.all([n8n.start(workflow()), n8n.start(workflow())]);
  const from = api.calls.length;

  const [one] = await Promise.all([first.runNode('Call'), second.runNode('Call')]);
  const other = await second.runNode('Call');
  await first.end('success');

  const tokens = api.calls.slice(from).map(({ token }) => token);
  const claims = await Promise.all(tokens.map(api.verify));
  expect(new Set(claims.map(({ execution_id }) => execution_id)).size).toBe(2);
  expect(claims[0]).toMatchObject({
    sub: 'workflow:w6eOdKV1',
    workflow: 'Nightly',
    mode: 'trigger',
    aud: API,
  });
  expect(executionOf(one)).not.toBe(executionOf(other));
  const byExecution = new Map(claims.map((claim, index) => [claim['execution_id'], tokens[index]]));
  await ended(byExecution.get(executionOf(one)));
  expect(await active(byExecution.get(executionOf(other)))).toBe(true);
  await expect(first.runNode('Call')).rejects.toThrow('this execution is over');
  await second.end('error');
  await ended(byExecution.get(executionOf(other)));
  expect(JSON.stringify(process.env)).toBe(before);
});

test('executions that n8n starts from one object of its workflow, as its triggers do, have an identity each', async () => {
  const shared = workflow();
  const [first, second, idle] = [await n8n.start(shared), await n8n.start(shared), await n8n.start(shared)];
  const from = api.calls.length;

  const [one, other] = [await first.runNode('Call'), await second.runNode('Call')];
  const again = await first.runNode('Call');

  expect(executionOf(again)).toBe(executionOf(one));
  expect(executionOf(other)).not.toBe(executionOf(one));
  const [token, otherToken] = api.calls.slice(from).map((call) => call.token);
  await first.end('success');
  await ended(token);
  expect(await active(otherToken)).toBe(true);
  expect(executionOf(await second.runNode('Call'))).toBe(executionOf(other));
  // One whose node has not run is told from others by number alone, and has its token all the same.
  const last = await n8n.start(shared);
  await idle.end('success');
  expect((await last.runNode('Call')).status).toBe(200);
  await second.end('success');
  await ended(otherToken);
  const lastToken = api.calls.at(-1)?.token;
  expect(await active(lastToken)).toBe(true);
  await last.end('success');
  await ended(lastToken);
});

test('an execution whose node never ran is over when n8n says so', async () => {
  const shared = workflow();
  const [one, other] = [await n8n.start(shared), await n8n.start(shared)];
  const ids = [one, other].map((each) => String(markOf(each.snapshot())));
  const running = async (id: string) => (await buildState(id)) === 'running';
  for (const id of ids) await eventually(() => running(id), 'start');

  await one.end('success');
  await other.end('success');

  for (const id of ids) await eventually(async () => !(await running(id)), 'end');
});

test('a token that cannot be had just now is asked for again, and one that is refused is not', async () => {
  const { tokenOf } = createRequire(import.meta.url)('../packages/n8n/mayfly.cjs') as {
    tokenOf(way: { url: string; requestToken: string }, audience: string, withinMs: number): Promise<string>;
  };
  const answers = [503, 503, 200, 403];
  const issuer = createServer((_request, response) => {
    const status = answers.shift() ?? 500;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(status === 200 ? { value: 'token' } : { error: `said ${status}` }));
  }).listen(0, '127.0.0.1');
  await once(issuer, 'listening');
  const way = {
    url: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/token?x=1`,
    requestToken: 'r',
  };

  expect(await tokenOf(way, API, 10_000)).toBe('token');
  await expect(tokenOf(way, API, 10_000)).rejects.toThrow('said 403');
  expect(answers).toEqual([]);
  issuer.closeAllConnections();
  issuer.close();
});

test('of executions that are told apart by number none is thought over too early, however many are forgotten', () => {
  const { identitiesOf } = createRequire(import.meta.url)('../packages/n8n/identities.cjs') as {
    identitiesOf(knownAtMost: number): {
      begun(id: string, workflow: string): void;
      claim(id: string, execution: string): string[] | false;
      ended(execution: string, workflow: string, marked: string | undefined): string[];
    };
  };
  const identities = identitiesOf(3);
  const over: string[] = [];
  identities.begun('runs', 'w');
  for (let index = 0; index < 10; index++) {
    identities.begun(`short-${index}`, 'w');
    identities.begun(`next-${index}`, 'w');
    over.push(...identities.ended(`${index}`, 'w', `next-${index}`));
  }
  expect(over).toEqual([]);
  expect(identities.claim('next-9', 'mine')).toEqual([]);
  expect(identities.claim('next-9', 'another')).toBe(false);
  expect(identities.ended('mine', 'w', 'short-9')).toEqual(['next-9']);
});

test('what n8n keeps of an execution holds no token, not even where the API sends it back', async () => {
  const execution = await n8n.start(workflow());

  const output = await execution.runNode('Call');

  const kept = execution.snapshot() + JSON.stringify(output);
  expect(output.body).toMatchObject({ sent: '***' });
  expect(kept).not.toMatch(/eyJ|mfr_/);
  await execution.end('success');
});

test('an execution that waits goes on with its identity, also in another process of n8n, which ends it', async () => {
  const data = workflow();
  const execution = await n8n.start(data);
  const before = executionOf(await execution.runNode('Call'));
  await execution.end('waiting', { waitTill: new Date() });
  expect(await active(api.calls.at(-1)?.token)).toBe(true);

  // A worker of the queue, or n8n after a restart: it has what was kept, and begins nothing.
  const kept = JSON.parse(execution.snapshot()) as WorkflowData;
  const worker = loadN8n().resume(kept, execution.id);
  expect(executionOf(await worker.runNode('Call'))).toBe(before);
  await worker.end('success');

  await ended(api.calls.at(-1)?.token);
});

test('the mark of one workflow is nothing on another', async () => {
  const execution = await n8n.start(workflow());
  const { settings } = JSON.parse(execution.snapshot()) as WorkflowData;

  const thief = loadN8n().resume(workflow('another', settings ? { settings } : {}));

  await expect(thief.runNode('Call')).rejects.toThrow('has no identity');
  await execution.end('success');
});

test('a retry of an execution has an identity of its own', async () => {
  const first = await n8n.start(workflow());
  const before = executionOf(await first.runNode('Call'));
  await first.end('error');

  const again = await n8n.start(JSON.parse(first.snapshot()) as WorkflowData, 'retry');

  expect(executionOf(await again.runNode('Call'))).not.toBe(before);
  await again.end('success');
});

test('without Mayfly a workflow that asks for tokens does not run, and every other one does', async () => {
  vi.stubEnv('MAYFLY_EVENTS_URL', 'http://127.0.0.1:1');
  const cutOff = loadN8n();

  await expect(cutOff.start(workflow())).rejects.toThrow(
    /^Mayfly cannot be reached at http:\/\/127\.0\.0\.1:1/,
  );
  const plain = await cutOff.start(workflow('plain', { nodes: [] }));

  await plain.end('success');
});
