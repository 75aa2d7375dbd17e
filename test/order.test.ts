import { randomUUID } from 'node:crypto';
import { buildWriter } from '@mayfly/build-store/writer';
import { digestOf } from '@mayfly/contracts/canonical';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, startedEvent } from './ci.ts';
import { openStreams } from './operator.ts';
import { isActive, knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;
beforeAll(async () => {
  // One of each on any engine: a second build-lifecycle would go on where the first is killed, and log what is read here.
  system = await testSystem({ replicas: 1 });
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const asBuildLifecycle = () =>
  new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
    username: 'build-lifecycle',
    password: system.secret('redis-build-lifecycle'),
  });
const tokenOf = async (id: string) => (await ci.heard(id)).data.id_tokens['API_TOKEN'] as string;

test('a build whose finish comes before its start gets no token', async () => {
  await ci.finish('backwards');
  await ci.start({ id: 'backwards' });
  await ci.start({ id: 'forwards' });
  await ci.heard('forwards');

  expect(ci.grants.map(({ data }) => data.id)).not.toContain('backwards');
  expect(await ci.askGrant('backwards')).toBeUndefined();
});

test('a start that is told again after the finish brings nothing back', async () => {
  const event = startedEvent('acme', { id: 'replayed' });
  await ci.publish('ci.acme.build.started', JSON.stringify(event));
  const token = await tokenOf('replayed');
  await ci.finish('replayed');
  await eventually(async () => (await isActive(system, token)) === false, 'active: false');

  await ci.publish('ci.acme.build.started', JSON.stringify({ ...event, id: randomUUID() }));
  await ci.start({ id: 'later' });
  await ci.heard('later');

  expect(await knownActive(system, token)).toBe(false);
  expect(await ci.askGrant('replayed')).toBeUndefined();
});

test('the same start twice is one build, whose token is announced again', async () => {
  const event = startedEvent('acme', { id: 'twice' });
  await ci.publish('ci.acme.build.started', JSON.stringify(event));
  await ci.heard('twice');
  await ci.publish('ci.acme.build.started', JSON.stringify({ ...event, id: randomUUID() }));

  const grants = await eventually(() => {
    const heard = ci.grants.filter(({ data }) => data.id === 'twice');
    return heard.length >= 2 && heard;
  }, 'second grant');

  const [first, second] = grants.map(({ data }) => data.id_token_request_token);
  expect(second).toBe(first);
});

test('a start that was recorded, but whose announcement was lost, is announced when it is delivered again', async () => {
  await system.kill('build-lifecycle');
  const event = startedEvent('acme', { id: 'unannounced' });
  const { seq } = await ci.publish('ci.acme.build.started', JSON.stringify(event));
  const redis = asBuildLifecycle();
  const now = Date.now();
  const build = {
    source: 'acme',
    ...event.data,
    attempt: 1,
    seq,
    digest: digestOf(event.data),
    started_at: now,
    deadline: now + 3_600_000,
  };
  const { outcome } = await buildWriter(redis).start(build, now + 7_200_000, build.deadline);
  redis.disconnect();
  expect(outcome).toBe('running');

  await system.start('build-lifecycle');

  expect(await knownActive(system, await tokenOf('unannounced'))).toBe(true);
});

test('a second start that says otherwise is a conflict: dead-lettered, and the build goes on as it was', async () => {
  await using streams = await openStreams(system);
  await ci.start({ id: 'contested' });
  const token = await tokenOf('contested');

  const { seq } = await ci.start({ id: 'contested', build: { ref: 'refs/heads/other' } });

  const letter = await eventually(
    async () => (await streams.deadLetters('acme')).find(({ data }) => data.seq === seq),
    'dead letter',
  );
  expect(letter.data.error).toBe('conflict');
  expect(await knownActive(system, token)).toBe(true);
  expect(Object.keys((await ci.askGrant('contested'))?.data.id_tokens ?? {})).toEqual(['API_TOKEN']);
  await eventually(
    async () => (await system.log('build-lifecycle')).includes('event dead-lettered'),
    'line in the log',
  );
  const metrics = await (await fetch(`${system.opsUrlOf('build-lifecycle')}/metrics`)).text();
  expect(metrics).toMatch(/mayfly_events_total\{outcome="dead-lettered"\} [1-9]/);
});

test('a higher attempt is the build from its start on, and ends the one before it', async () => {
  await ci.start({ id: 'retried' });
  const first = await tokenOf('retried');
  await ci.start({ id: 'retried', build: { attempt: 2 } });
  await eventually(
    () => ci.grants.find(({ data }) => data.id === 'retried' && data.attempt === 2),
    'grant of attempt 2',
  );

  expect(await knownActive(system, first)).toBe(false);
  await ci.finish('retried', 1);
  await ci.start({ id: 'behind' });
  await ci.heard('behind');
  expect((await ci.askGrant('retried', 2))?.data).toMatchObject({ id: 'retried', attempt: 2 });
});

test('the end of the attempt that a higher one replaced is announced again, should its first announcement be lost', async () => {
  await using streams = await openStreams(system);
  await ci.start({ id: 'forgotten-end' });
  const { data } = await ci.heard('forgotten-end');
  const event = startedEvent('acme', { id: 'forgotten-end', build: { attempt: 2 } });
  await ci.publish('ci.acme.build.started', JSON.stringify(event));
  await eventually(
    () => ci.grants.find((one) => one.data.id === data.id && one.data.attempt === 2),
    'second attempt',
  );
  const before = (await streams.lastSequences())['LIFECYCLE'] as number;

  await ci.publish('ci.acme.build.started', JSON.stringify({ ...event, id: randomUUID() }));

  await eventually(async () => {
    const message = await streams.main.direct.getMessage('LIFECYCLE', {
      seq: before + 1,
      next_by_subj: 'build.finished',
    });
    const told = message?.json<{ data: { id: string; attempt: number; reason: string } }>().data;
    return told?.id === data.id && told.attempt === 1 && told.reason === 'superseded';
  }, 'announcement');
});

test('builds that ended longer ago than they are remembered go, and others stay', async () => {
  const redis = asBuildLifecycle();
  const writer = buildWriter(redis);
  const finish = (id: string, finishedAt: number) =>
    writer.finish({ source: 'acme', id, attempt: 1, reason: 'success', finishedAt });
  const now = Date.now();
  await finish('kept', now - 60_000);
  await Promise.all(
    Array.from({ length: 2000 }, (_, index) => finish(`old-${index}`, now - 400 * 86_400_000)),
  );

  const left = async () => (await Promise.all([0, 999, 1999].map((index) => oneOf(`old-${index}`)))).flat();
  const oneOf = async (id: string) => (await writer.find({ source: 'acme', id })) ?? [];
  await eventually(async () => (await left()).length === 0, 'end of what is old');

  expect(await writer.find({ source: 'acme', id: 'kept' })).toMatchObject({ state: 'finished' });
  redis.disconnect();
});
