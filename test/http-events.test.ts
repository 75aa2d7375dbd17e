import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, finishedEvent, startedEvent } from './ci.ts';
import { faultsOfAnswer } from './documented.ts';
import { commandAs } from './operator.ts';
import { answerOf, isActive, knownActive, knownAnswer } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;
beforeAll(async () => {
  // One of each on any engine: what one build-lifecycle logged is read.
  system = await testSystem({ replicas: 1 });
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const basic = (source: string, secret: string) =>
  `Basic ${Buffer.from(`${source}:${secret}`).toString('base64')}`;
const post = (...asked: Parameters<typeof postOnce>) => knownAnswer(() => postOnce(...asked));
const postOnce = async (
  path: string,
  body: string,
  headers: Record<string, string> = {},
  at = 'build-lifecycle',
) =>
  answerOf(
    await fetch(`${system.urlOf(at)}${path}`, {
      method: 'POST',
      headers: {
        authorization: basic('acme', system.secret('source-acme')),
        'content-type': 'application/cloudevents+json',
        ...headers,
      },
      body,
    }),
  );

test('a CI that speaks HTTP starts and finishes a build with structured CloudEvents and asks for its grant', async () => {
  const answer = await post('/events', JSON.stringify(startedEvent('acme', { id: 'by-http' })));
  expect(answer.status).toBe(202);

  const grant = await eventually(async () => {
    const asked = await post(
      '/grant',
      JSON.stringify({ id: 'by-http' }),
      { 'content-type': 'application/json' },
      'issuer',
    );
    return asked.status === 200 && (asked.body as { data: { id_tokens: Record<string, string> } });
  }, 'grant');
  const token = grant.data.id_tokens['API_TOKEN'] as string;
  expect(await knownActive(system, token)).toBe(true);

  expect((await post('/events', JSON.stringify(finishedEvent('acme', 'by-http')))).status).toBe(202);
  await eventually(async () => (await isActive(system, token)) === false, 'end');
});

test('the same event in binary mode, with its attributes in headers, is the same', async () => {
  const { data, specversion, id, source, type, time } = startedEvent('acme', { id: 'binary' });
  const headers = {
    'ce-specversion': specversion,
    'ce-id': id,
    'ce-source': source,
    'ce-type': type,
    'ce-time': time,
  };

  const { status } = await post('/events', JSON.stringify(data), {
    ...headers,
    'content-type': 'application/json',
  });

  expect(status).toBe(202);
  expect(await knownActive(system, (await ci.heard('binary')).data.id_tokens['API_TOKEN'] as string)).toBe(
    true,
  );
});

test('an event that is sent again after a lost answer is taken once', async () => {
  const event = JSON.stringify(startedEvent('acme', { id: 'http-twice' }));

  const [first, second] = [await postOnce('/events', event), await post('/events', event)];

  expect([first.body['duplicate'], second.body['duplicate']]).toEqual([false, true]);
  expect(second.body['seq']).toBe(first.body['seq']);
});

test.for([
  ['no credentials', 401, '{}', { authorization: '' }],
  ['the secret of another source', 401, '{}', { authorization: 'other' }],
  ['text that is not JSON', 400, '{', {}],
  ['an event that is none', 400, '{}', {}],
  ['another content type', 415, '{}', { 'content-type': 'text/plain' }],
  ['an event over 64 KiB', 413, `"${'x'.repeat(70_000)}"`, {}],
] as const)('%s is answered %i in the shape of RFC 6749', async ([, status, body, headers]) => {
  const wrong =
    'authorization' in headers
      ? { authorization: headers.authorization && basic('acme', system.secret('source-other')) }
      : headers;
  const answer = await post('/events', body, wrong);

  expect(answer.status).toBe(status);
  expect(answer.body).toEqual({ error: expect.any(String), error_description: expect.any(String) });
});

test('an event that names another source than its sender is refused', async () => {
  const { status, body } = await post('/events', JSON.stringify(startedEvent('other', { id: 'x' })));

  expect([status, body['error']]).toEqual([403, 'access_denied']);
});

test('a CDEvent starts a build, with our facts in customData, and another ends it', async () => {
  const { data } = startedEvent('acme', { id: 'ignored', reply: 'runner' });
  const { id: _id, ...build } = data.build;
  const cdEvent = (type: string, content: object, customData?: object) => ({
    context: {
      specversion: '0.5.1',
      id: randomUUID(),
      source: '/tekton',
      type,
      timestamp: new Date().toISOString(),
    },
    subject: { id: 'run-7', source: '/tekton', content },
    ...(customData ? { customData } : {}),
  });
  const started = cdEvent(
    'dev.cdevents.pipelinerun.started.0.3.0',
    { pipelineName: 'p' },
    { mayfly: { ...data, build } },
  );

  await ci.publish('ci.acme.build.started', JSON.stringify(started));
  const token = (await ci.heard('run-7')).data.id_tokens['API_TOKEN'] as string;
  expect(await knownActive(system, token)).toBe(true);

  const finished = cdEvent('dev.cdevents.pipelinerun.finished.0.3.0', { outcome: 'success' });
  expect((await post('/events', JSON.stringify(finished))).status).toBe(202);
  await eventually(async () => (await isActive(system, token)) === false, 'end');
});

test('a CDEvent of a type that is none of ours is ignored, not dead-lettered', async () => {
  const { seq } = await ci.publish(
    'ci.acme.build.started',
    JSON.stringify({
      context: {
        id: 'x',
        source: '/x',
        type: 'dev.cdevents.pipelinerun.queued.0.3.0',
        timestamp: new Date().toISOString(),
      },
      subject: { id: 'queued', content: {} },
    }),
  );
  await ci.start({ id: 'after-queued' });
  await ci.heard('after-queued');

  const { dead_letters } = await commandAs(system, 'dead-letters.list', { source: 'acme' });
  expect((dead_letters as { seq: number }[]).map((letter) => letter.seq)).not.toContain(seq);
});

test('operators list and inspect dead letters, and send one again, each answer as it is published', async () => {
  const body = JSON.stringify({ ...startedEvent('acme', { id: 'dead' }), type: 'wrong' });
  const { seq } = await ci.publish('ci.acme.build.started', body);
  const listed = await eventually(async () => {
    const answer = await commandAs(system, 'dead-letters.list', { source: 'acme', limit: 100 });
    return (answer['dead_letters'] as { seq: number; number: number }[]).find((letter) => letter.seq === seq);
  }, 'dead letter');

  const shown = await commandAs(system, 'dead-letters.show', { number: listed.number });
  expect(
    Buffer.from((shown['dead_letter'] as { body_base64: string }).body_base64, 'base64').toString(),
  ).toBe(body);
  const again = await commandAs(system, 'dead-letters.replay', { number: listed.number, by: 'ada' });

  const list = await commandAs(system, 'dead-letters.list', { source: 'acme' });
  expect(faultsOfAnswer('admin.dead-letters.list', list)).toEqual([]);
  expect(faultsOfAnswer('admin.dead-letters.show', shown)).toEqual([]);
  expect(faultsOfAnswer('admin.dead-letters.replay', again)).toEqual([]);
  expect(again).toMatchObject({ event_name: 'ci.acme.build.started', number: listed.number });
  expect(again['seq']).toBeGreaterThan(seq);
  await eventually(
    async () => /"by":"ada".*"dead letter sent again"/.test(await system.log('build-lifecycle')),
    'line in the log that says who asked',
  );
  expect(await commandAs(system, 'dead-letters.show', { number: 9999 })).toMatchObject({
    error: 'not_found',
  });
});
