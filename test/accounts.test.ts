import { randomUUID } from 'node:crypto';
import { CONSUMERS, IMPORTED_API, STREAMS } from '@mayfly/contracts/bus';
import { checkBuildRunning } from '@mayfly/contracts/events';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectCi, startedEvent } from './ci.ts';
import { connectAs, openStreams, type Streams } from './operator.ts';
import { isActive, knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const VERSIONS = ['2.10', '2.15'] as const;

/** Where a source would like the server to send something, were it let. */
const ELSEWHERE = [
  'ci.acme.build.started',
  'ci.acme.build.finished',
  'ended.acme',
  'build.running',
  'build.finished',
  'dead-letters.acme',
  'tokens.acme.runner',
  'keys.sign.id-token',
  'admin.keys.revoke',
  'admin.names.release',
  'admin.builds.revoke',
  '$KV.keyring.acme',
  '$KV.key-sets.acme',
  '$JS.API.STREAM.PURGE.BUILDS',
  '$JS.API.STREAM.DELETE.KV_keyring',
  '$JS.API.CONSUMER.DELETE.BUILDS.build-lifecycle-ends',
];

/** What services that others reach from outside may ask: an answer, and twice an empty one, which is what deletes a stream. */
const QUESTIONS = [
  ['jwks-publisher', `${IMPORTED_API}.STREAM.MSG.GET.${STREAMS.lifecycle}`, '{"seq":1}'],
  ['jwks-publisher', `${IMPORTED_API}.DIRECT.GET.${STREAMS.lifecycle}`, '{"seq":9007199254740991}'],
  [
    'issuer',
    `${IMPORTED_API}.CONSUMER.MSG.NEXT.${STREAMS.lifecycle}.${CONSUMERS.issuer}`,
    '{"batch":1,"no_wait":true}',
  ],
] as const;

const deletionsOf = (stream: string) =>
  ['$JS.API', IMPORTED_API].flatMap((api) => [
    ...['DELETE', 'PURGE'].map((verb) => `${api}.STREAM.${verb}.${stream}`),
    ...Object.values(CONSUMERS).map((name) => `${api}.CONSUMER.DELETE.${stream}.${name}`),
  ]);

/** Gives the names of all streams and their consumers, and how far each stream is. */
async function everyStream(streams: Streams) {
  const { main } = streams;
  const last = await settledSequences(streams);
  const names = (await main.streams.list().next()).map(({ config }) => config.name);
  const consumers = await Promise.all(names.map(async (name) => await main.consumers.list(name).next()));
  return {
    names,
    consumers: consumers.map((all) => all.map(({ name }) => name)),
    last,
  };
}

/** Gives each build that LIFECYCLE announces after a sequence, once, and its source. Throws where there is anything else. */
async function announcedAfter({ main }: Pick<Streams, 'main'>, seq: number): Promise<Map<string, string>> {
  const message = await main.direct.getMessage(STREAMS.lifecycle, { seq: seq + 1 });
  if (!message) return new Map();
  const { source, data } = checkBuildRunning.parse(message.json());
  const here = data.builds.map(({ id }) => [`${source} ${id}`, source] as const);
  return new Map([...here, ...(await announcedAfter({ main }, message.seq))]);
}

/** What is stored, once all of it is recorded and announced: until then an announcement may be said again. */
async function settledSequences(streams: Streams): Promise<Record<string, number>> {
  const isDone = async (stream: string) => {
    const consumers = await streams.main.consumers.list(stream).next();
    return consumers.every(({ num_pending, num_ack_pending }) => num_pending + num_ack_pending === 0);
  };
  await expect
    .poll(async () => [await isDone(STREAMS.builds), await isDone(STREAMS.lifecycle)], { timeout: 20_000 })
    .toEqual([true, true]);
  return await streams.lastSequences();
}

describe.for(VERSIONS)('on nats-server %s', (nats) => {
  let system: TestSystem;
  beforeAll(async () => {
    system = await testSystem({ nats });
  });
  afterAll(() => system[Symbol.asyncDispose]());

  test('the server is of that version', async () => {
    await using ci = await connectCi(system);

    expect(ci.nats.info?.version).toMatch(new RegExp(`^${RegExp.escape(nats)}\\.\\d+$`));
  });

  test('an event on the subject of another source reaches nobody', async () => {
    await using streams = await openStreams(system);
    await using intruder = await connectCi(system, 'other');
    const before = await settledSequences(streams);

    const event = startedEvent('acme', { id: 'forged' });
    await expect(intruder.publish('ci.acme.build.started', JSON.stringify(event))).rejects.toThrow();
    for (const name of ELSEWHERE) intruder.nats.publish(name, JSON.stringify(event));
    await intruder.nats.flush();

    await staysAsItWas(system, before);
  });

  test('no reply subject that a source names gets anything to leave its account', async () => {
    await using streams = await openStreams(system);
    await using acme = await connectCi(system);
    const intruder = await connect(system.ciCredentials('other'));
    const before = await settledSequences(streams);

    for (const reply of ELSEWHERE) {
      intruder.publish(
        'ci.other.build.started',
        JSON.stringify(startedEvent('other', { id: randomUUID(), idTokens: null })),
        { reply },
      );
      intruder.publish('ci.other.grant', JSON.stringify({ id: 'x' }), { reply });
    }
    await intruder.flush();
    await intruder.close();
    await expect
      .poll(async () => (await streams.lastSequences())['BUILDS'], { timeout: 10_000 })
      .toBe((before['BUILDS'] as number) + ELSEWHERE.length);
    // What stands there are the announcements of these builds, some together, and nothing else.
    const announced = async () => [
      ...(await announcedAfter(streams, before[STREAMS.lifecycle] as number)).values(),
    ];
    await expect.poll(announced, { timeout: 10_000 }).toEqual(ELSEWHERE.map(() => 'other'));

    const { BUILDS, LIFECYCLE, ...others } = await streams.lastSequences();
    const { BUILDS: _builds, LIFECYCLE: _lifecycle, ...othersBefore } = before;
    expect(others).toEqual(othersBefore);
    expect(acme.grants).toEqual([]);
    await stillWorks(system);
  });

  test('a service that others reach from outside has the server deliver nothing where it may not write itself', async () => {
    await using streams = await openStreams(system);
    const there = () => everyStream(streams);
    const before = await there();
    const shots = [...ELSEWHERE, ...before.names.flatMap(deletionsOf)].flatMap((reply) =>
      QUESTIONS.map(([, question, body]) => ({ reply, question, body })),
    );
    for (const [user, question, body] of QUESTIONS) {
      const nats = await connectAs(system, user);
      for (const { reply, ...shot } of shots) nats.publish(shot.question, shot.body, { reply });
      // Answered in their order, so that every other is by then.
      await nats.request(question, body, { timeout: 5000 });
      await nats.close();
    }

    expect(await there()).toEqual(before);
    await stillWorks(system);
  });

  test('a source cannot swallow an event of another by taking its message id', async () => {
    await using acme = await connectCi(system);
    await using other = await connectCi(system, 'other');
    const start = startedEvent('acme', { id: 'mine' });
    await acme.publish('ci.acme.build.started', JSON.stringify(start), start.id);
    const token = (await acme.heard('mine')).data.id_tokens['API_TOKEN'] as string;

    const copied = startedEvent('other', { id: 'theirs', eventId: start.id });
    const ack = await other.publish('ci.other.build.started', JSON.stringify(copied), start.id);

    expect(ack.duplicate).toBe(true);
    expect(await knownActive(system, token)).toBe(true);
    expect((await acme.finish('mine')).duplicate).toBe(false);
    await expect.poll(() => isActive(system, token), { timeout: 10_000 }).toBe(false);
  });
});

async function staysAsItWas(system: TestSystem, before: Record<string, number>): Promise<void> {
  await using streams = await openStreams(system);
  expect(await settledSequences(streams)).toEqual(before);
  await stillWorks(system);
}

async function stillWorks(system: TestSystem): Promise<void> {
  await using ci = await connectCi(system);
  await ci.start({ id: 'proof' });
  expect(await knownActive(system, (await ci.heard('proof')).data.id_tokens['API_TOKEN'] as string)).toBe(
    true,
  );
}
