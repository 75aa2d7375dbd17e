import { createHash, randomUUID } from 'node:crypto';
import { checkDeadLetter } from '@mayfly/contracts/dead-letters';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, finishedEvent, startedEvent } from './ci.ts';
import { openStreams, type Streams } from './operator.ts';
import { knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;
let streams: Streams;
beforeAll(async () => {
  system = await testSystem();
  [ci, streams] = await Promise.all([connectCi(system), openStreams(system)]);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await streams[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const good = () => startedEvent('acme', { id: randomUUID() });
const ancient = new Date(Date.now() - 2 * 3_600_000).toISOString();
const POISON: [string, () => string | Uint8Array, string][] = [
  ['text that is not JSON', () => '{', 'invalid_request'],
  ['bytes that are not UTF-8', () => new Uint8Array([0xff, 0xfe, 0x00]), 'invalid_request'],
  ['nothing', () => '', 'invalid_request'],
  ['null', () => 'null', 'invalid_request'],
  [
    'an event of an unknown type',
    () => JSON.stringify({ ...good(), type: 'dev.mayfly.ci.build.paused' }),
    'invalid_request',
  ],
  [
    'our own announcement',
    () => JSON.stringify({ ...good(), type: 'dev.mayfly.build.running' }),
    'invalid_request',
  ],
  [
    'an event with a member that nobody knows',
    () => JSON.stringify({ ...good(), admin: true }),
    'invalid_request',
  ],
  ['a build without an id', () => JSON.stringify({ ...good(), data: { build: {} } }), 'invalid_request'],
  ['a finish where a start should be', () => JSON.stringify(finishedEvent('acme', 'x')), 'invalid_request'],
  [
    'an event that names another source',
    () => JSON.stringify(startedEvent('other', { id: 'x' })),
    'access_denied',
  ],
  [
    'a reply that is a whole event name',
    () => JSON.stringify({ ...good(), data: { ...good().data, reply: 'a.b' } }),
    'invalid_request',
  ],
  ['an event two hours old', () => JSON.stringify({ ...good(), time: ancient }), 'invalid_request'],
  [
    'text with half a character',
    () => JSON.stringify(good()).replace('octocat', '\\ud800'),
    'invalid_request',
  ],
  [
    '__proto__ as a member',
    () => JSON.stringify(good()).replace('"number":12', '"__proto__":{"id":"y"}'),
    'invalid_request',
  ],
];

test.for(POISON)(
  '%s is dead-lettered with its reason and its place, and stops nothing',
  async ([, body, error]) => {
    const bytes = Buffer.from(body());
    const { seq } = await ci.publish('ci.acme.build.started', bytes);
    const after = randomUUID();
    await ci.start({ id: after });

    const letter = await eventually(
      async () => (await streams.deadLetters('acme')).find(({ data }) => data.seq === seq),
      'dead letter',
    );
    expect(checkDeadLetter.faults(letter)).toEqual([]);
    expect(letter.data.error).toBe(error);
    expect(letter.data.error_description).not.toBe('');
    expect(Buffer.from(letter.data.body_base64, 'base64')).toEqual(bytes);
    expect(await knownActive(system, (await ci.heard(after)).data.id_tokens['API_TOKEN'] as string)).toBe(
      true,
    );
  },
);

test('an event far longer than any is refused to whoever publishes it, and stored nowhere', async () => {
  const before = (await streams.lastSequences())['BUILDS'];

  const stored = ci.publish(
    'ci.acme.build.started',
    JSON.stringify(good()).replace('octocat', 'x'.repeat(90_000)),
  );

  await expect(stored).rejects.toThrow('message size exceeds maximum allowed');
  expect((await streams.lastSequences())['BUILDS']).toBe(before);
});

test('of an event over 64 KiB the dead letter holds the first KiB and the digest', async () => {
  const body = JSON.stringify(good()).replace('octocat', 'x'.repeat(70_000));

  const { seq } = await ci.publish('ci.acme.build.started', body);

  const letter = await eventually(
    async () => (await streams.deadLetters('acme')).find(({ data }) => data.seq === seq),
    'dead letter',
  );
  expect(checkDeadLetter.faults(letter)).toEqual([]);
  expect(letter.data).toMatchObject({ error: 'payload_too_large', is_whole: false });
  expect(Buffer.from(letter.data.body_base64, 'base64').toString()).toBe(body.slice(0, 1024));
  expect(letter.data.sha256).toBe(createHash('sha256').update(body).digest('hex'));
});

test('an event on a subject that is none is refused to its publisher at once', async () => {
  await expect(ci.publish('ci.acme.build.paused', JSON.stringify(good()))).rejects.toThrow(
    /no responders|jetstream is not enabled/i,
  );
});
