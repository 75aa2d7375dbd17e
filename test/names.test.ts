import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Build } from '@mayfly/contracts/build';
import { EVENT_NAMES, NAMES_BUCKET } from '@mayfly/contracts/bus';
import { jetstream } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { basic } from './introspect-callers.ts';
import { commandAs, connectAs, openStreams } from './operator.ts';
import { requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
const ISSUERS = ['issuer', 'issuer-2'];
let system: TestSystem;
let ci: Ci;
beforeAll(async () => {
  system = await testSystem({ replicas: 2 });
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const of = (name: string, id: string): Partial<Build> => ({ repository: { id, name } });
const run = async (id: string, build: Partial<Build>) => {
  await ci.start({ id, build });
  return await ci.heard(id);
};
const logged = async (pattern: RegExp) => {
  const logs = await Promise.all(ISSUERS.map((name) => system.log(name)));
  return logs
    .join('')
    .split('\n')
    .some((line) => pattern.test(line));
};
const refusedSoFar = async () => {
  const texts = await Promise.all(
    ISSUERS.map(async (name) => (await fetch(`${system.opsUrlOf(name)}/metrics`)).text()),
  );
  const counts = texts.map((text) => /mayfly_names_refused_total\{kind="repository"\} (\d+)/.exec(text)?.[1]);
  return counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
};

test('a name seen before with another id gets no token from any replica, also after a restart, and the grant says what to do', async () => {
  await run('first', of('octo/taken', '1'));
  const before = await refusedSoFar();

  const { data } = await run('thief', of('octo/taken', '2'));

  expect(data.id_tokens).toEqual({});
  expect(data.id_token_errors?.['API_TOKEN']).toEqual({
    error: 'access_denied',
    error_description: expect.stringMatching(
      /octo\/taken of this repository belongs to id 1 and comes with id 2; .*mayfly names release acme repository octo\/taken$/,
    ),
  });
  await eventually(async () => (await refusedSoFar()) > before, 'count of what was refused');
  await eventually(
    () => logged(/"name":"octo\/taken","id":"2","holder":"1".*"name refused"/),
    'line in the log',
  );
  for (const name of ISSUERS) {
    await system.kill(name);
    await system.start(name);
  }
  const grant = await run('again', of('octo/taken', '2'));
  expect(grant.data.id_tokens).toEqual({});
  for (const at of ISSUERS) {
    const { status, body } = await requestToken(system, grant, AUDIENCE, { at });
    expect([status, body['error']]).toEqual([403, 'access_denied']);
  }
  expect((await run('rightful', of('octo/taken', '1'))).data.id_token_errors).toBeUndefined();
});

test('an operator releases a name, the next id has it, and who asked is logged', async () => {
  await run('old', of('octo/moved', '1'));
  const release = { source: 'acme', kind: 'repository', name: 'octo/moved', by: 'ada', note: 'ticket 7' };

  expect(await commandAs(system, 'names.list', { source: 'acme', prefix: 'octo/moved' })).toMatchObject({
    names: [{ source: 'acme', kind: 'repository', name: 'octo/moved', id: '1' }],
  });
  expect(await commandAs(system, 'names.release', release)).toMatchObject({ released: '1' });

  expect((await run('new', of('octo/moved', '2'))).data.id_token_errors).toBeUndefined();
  await eventually(
    () => logged(/"released":"1".*"by":"ada","note":"ticket 7".*"name released"/),
    'line in the log that says who asked',
  );
  expect(await commandAs(system, 'names.release', { ...release, name: 'octo/none' })).toMatchObject({
    error: 'not_found',
  });
});

test('with the mayfly command an operator sees whose names are and releases all with one beginning', async () => {
  for (const name of ['moved/a', 'moved/b', 'stays/c']) await run(`cli-${name[6]}`, of(name, '1'));

  expect(await mayfly('names', 'list', '--prefix', 'moved/')).toMatch(/acme +repository +1 .* moved\/a\n/);
  await mayfly('names', 'release', 'acme', 'repository', '--prefix', 'moved/', '--note', 'ids have changed');

  for (const name of ['moved/a', 'moved/b'])
    expect((await run(`cli-2-${name[6]}`, of(name, '2'))).data.id_token_errors).toBeUndefined();
  expect((await run('cli-2-c', of('stays/c', '2'))).data.id_tokens).toEqual({});
  await expect(mayfly('names', 'release', 'acme', 'repository', 'nobody')).rejects.toMatchObject({
    code: 4,
    stderr: 'mayfly: no build came with that name\n',
  });
});

test('of many builds that come at once with one new name and two ids, only those of one id get tokens', async () => {
  const ids = Array.from({ length: 40 }, (_, index) => `race-${index}`);

  await Promise.all(ids.map((id, index) => ci.start({ id, build: of('octo/race', String(index % 2)) })));
  const grants = await Promise.all(ids.map((id) => ci.heard(id)));

  const lucky = grants.filter(({ data }) => data.id_token_errors === undefined).map(({ data }) => data.id);
  expect(lucky).toHaveLength(20);
  expect(new Set(lucky.map((id) => Number(id.slice(5)) % 2)).size).toBe(1);
});

test('a source can neither write whose a name is nor release one', async () => {
  await using streams = await openStreams(system);
  const stream = `KV_${NAMES_BUCKET}`;
  await run('mine', of('octo/mine', '1'));

  const release = { source: 'acme', kind: 'repository', name: 'octo/mine', id: '2' };
  const elsewhere = ['$KV.names.acme.repository.x', `$JS.API.STREAM.PURGE.${stream}`, 'admin.names.release'];
  for (const name of elsewhere) ci.nats.publish(name, JSON.stringify(release));
  await ci.nats.flush();

  expect((await run('not-mine', of('octo/mine', '2'))).data.id_tokens).toEqual({});
  const forged = { last_by_subj: '$KV.names.acme.repository.x' };
  expect(await streams.main.streams.getMessage(stream, forged)).toBeNull();
  const { config } = await streams.main.streams.info(stream);
  expect([config.deny_delete, config.deny_purge, config.max_age]).toEqual([true, true, 0]);
});

test('while it cannot be read whose names are, builds with new names wait, and others get their tokens', async () => {
  for (const [index, at] of ISSUERS.entries()) {
    const grant = await run(`known-${index}`, of('octo/known', '1'));
    expect((await requestToken(system, grant, AUDIENCE, { at })).status).toBe(200);
  }
  await using streams = await openStreams(system);

  await streams.main.streams.delete(`KV_${NAMES_BUCKET}`);
  await ci.start({ id: 'waits', build: of('octo/unseen', '9') });

  expect((await run('known', of('octo/known', '1'))).data.id_token_errors).toBeUndefined();
  await eventually(() => logged(/cannot be read whose the names.*"event failed"/), 'an event put off');
  expect(ci.grants.some(({ data }) => data.id === 'waits')).toBe(false);
  await system.bootstrap();
  expect((await ci.heard('waits')).data.id_token_errors).toBeUndefined();
});

test('of builds that are announced together one that has to wait keeps none from its tokens, and none gets them with each try', async () => {
  await run('beside', of('octo/known', '1'));
  await using streams = await openStreams(system);
  await streams.main.streams.delete(`KV_${NAMES_BUCKET}`);
  const grantsOf = (id: string) => ci.grants.filter(({ data }) => data.id === id).length;
  await ci.start({ id: 'held', build: of('octo/held', '7') });
  await eventually(() => isRunning('held'), 'a build that runs');

  await using stack = new AsyncDisposableStack();
  const lifecycle = stack.adopt(await connectAs(system, 'build-lifecycle'), (nats) => nats.close());
  const builds = ['held', 'beside'].map((id) => ({ id, attempt: 1, is_awaited: true }));
  const event = { specversion: '1.0', id: randomUUID(), source: 'acme', time: new Date().toISOString() };
  const body = { ...event, type: 'dev.mayfly.build.running', data: { builds } };
  const { seq } = await jetstream(lifecycle).publish(EVENT_NAMES.buildRunning, JSON.stringify(body));

  await eventually(() => grantsOf('beside') > 1, 'another grant of a build that is named beside');
  await eventually(() => logged(new RegExp(`"seq":${seq},"tries":6,.*"event failed"`)), 'six tries');
  // A replica does not know what another one has granted.
  expect(grantsOf('beside')).toBeLessThanOrEqual(1 + ISSUERS.length);
  expect(grantsOf('held')).toBe(0);
  await system.bootstrap();
  expect((await ci.heard('held')).data.id_token_errors).toBeUndefined();
});

async function isRunning(id: string): Promise<boolean> {
  const headers = { authorization: basic(system) };
  const response = await fetch(`${system.urlOf('jwks-publisher')}/acme/builds/${id}`, { headers });
  return ((await response.json()) as { state?: string }).state === 'running';
}

/** Runs the command as an operator does; gives what it prints. */
async function mayfly(...args: string[]): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-operator-'));
  const password = join(dir, 'password');
  writeFileSync(password, system.secret('nats-operator'), { mode: 0o600 });
  const main = fileURLToPath(new URL('../packages/cli/src/main.ts', import.meta.url));
  const env = { ...process.env, NATS_URL: system.natsUrl, NATS_PASSWORD_FILE: password };
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [main, ...args], { env });
    return stdout;
  } finally {
    rmSync(dir, { recursive: true });
  }
}
