import { STREAMS } from '@mayfly/contracts/bus';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, startedEvent } from './ci.ts';
import { onSmallDisk, type SmallDisk, whyNoDisk } from './disk-small.ts';
import { openStreams } from './operator.ts';
import { introspectOnce, isActive, knownActive, requestTokenOnce } from './relying-party.ts';
import { unless } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const VERSIONS = isFull ? (['2.10', '2.15'] as const) : (['2.10'] as const);
const REFUSED = 20;
const NATS_MIB = 32;
const REDIS_MIB = 8;
const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
const reason = whyNoDisk();

let shared: TestSystem;
beforeAll(async () => {
  shared = await testSystem();
});
afterAll(() => shared[Symbol.asyncDispose]());

test('a Redis that is read-only makes everything unknown, and all goes on when it can be written to', async () => {
  await staysHonest(shared, 'read-only', async (act) => {
    await onRedis(shared, (operator) => operator.call('REPLICAOF', '127.0.0.1', '1'));
    await act();
    await onRedis(shared, (operator) => operator.call('REPLICAOF', 'NO', 'ONE'));
  });
});

test(
  'a full disk under Redis makes everything unknown, no token is issued for what is not on record, and it heals when there is room',
  unless(reason),
  async () => {
    await using disk = await onSmallDisk(shared, 'redis', REDIS_MIB);
    await staysHonest(shared, 'full', async (act) => {
      disk.fill();
      await act();
      disk.free();
    });
  },
);

test.for(VERSIONS)(
  'a full disk under NATS %s refuses what cannot be kept, loses nothing, and all goes on when there is room',
  unless(reason),
  async (nats) => {
    await using own = nats === '2.10' ? undefined : await testSystem({ nats });
    const system = own ?? shared;
    await using disk = await onSmallDisk(system, 'nats', NATS_MIB);
    await using ci = await connectCi(system);
    await eventually(() => ci.start({ id: 'before' }).catch(() => undefined), 'first build');
    const token = (await ci.heard('before')).data.id_tokens['API_TOKEN'] as string;
    const kept = new Map<number, string>();

    disk.fill();
    const refused = await startUntilRefused(ci, kept);
    const answers = await Promise.all(
      Array.from({ length: REFUSED }, (_, index) => ci.start({ id: `full-${index}` }).then(String, errorOf)),
    );
    expect(new Set(answers), 'what a publisher is told').toEqual(new Set(['error']));
    // An end is shorter than a start: there may be room for some yet.
    await eventually(
      () =>
        ci.finish('nobody').then(
          () => false,
          () => true,
        ),
      'an end that is refused',
    );
    expect(await ci.finish('before').then(String, errorOf)).toBe('error');
    expect((await postStart(system, 'full-http')).status).toBe(503);
    for (const id of ['full-0', 'full-http', refused]) expect(await ci.askGrant(id, 1, 0)).toBeUndefined();
    expect(await knownActive(system, token), 'an end that was refused ends nothing').not.toBe(false);

    disk.free();
    if (nats === '2.15') await superviseNats(system);
    for (const id of ['full-0', refused]) await startOnceRoom(ci, id, kept);
    for (const id of kept.values()) await ci.heard(id);
    await eventually(() => ci.finish('before').catch(() => undefined), 'stored end');
    await eventually(async () => (await isActive(system, token)) === false, 'end');
    await restartReadOnly(system, disk, ci);
    await everythingIsKept(system, kept);
    await startOnceRoom(ci, 'after', kept);
    await ci.heard('after');
  },
);

/** While nothing can be written to Redis: no yes, no token; afterwards all that was acknowledged meanwhile is known. */
async function staysHonest(
  system: TestSystem,
  name: string,
  whileUnwritable: (act: () => Promise<void>) => Promise<void>,
): Promise<void> {
  await using ci = await connectCi(system);
  const meanwhile = `${name}-meanwhile`;
  const ids = [`${name}-running`, `${name}-ending`];
  for (const id of ids) await ci.start({ id });
  const [running, ending] = await Promise.all(ids.map((id) => ci.heard(id)));
  const tokens = [running, ending].map((grant) => grant?.data.id_tokens['API_TOKEN'] as string);
  await eventually(() => isActive(system, tokens[0] as string), 'active token');

  await whileUnwritable(async () => {
    await eventually(async () => (await introspectOnce(system, tokens[0] as string)).status === 503, '503');
    await ci.start({ id: meanwhile });
    await ci.finish(`${name}-ending`);
    // The first may have been a moment's, while the last proof still held.
    for (const token of tokens)
      await eventually(async () => (await introspectOnce(system, token)).status === 503, '503 for each');
    await eventually(
      async () => running && (await requestTokenOnce(system, running, AUDIENCE)).status === 503,
      '503 for a request',
    );
    expect(await ci.askGrant(meanwhile, 1, 0)).toBeUndefined();
    expect(ci.take(meanwhile)).toBeUndefined();
  });

  const token = (await ci.heard(meanwhile)).data.id_tokens['API_TOKEN'] as string;
  await eventually(() => isActive(system, token), 'yes for what started meanwhile');
  expect(await knownActive(system, tokens[0] as string)).toBe(true);
  // Its end may be delivered again only after the start that came later.
  await eventually(async () => (await isActive(system, tokens[1] as string)) === false, 'end');
}

const errorOf = () => 'error';

/** Starts builds until one is refused, whose id it gives; keeps those that were acknowledged, by their sequence. */
async function startUntilRefused(ci: Ci, kept: Map<number, string>): Promise<string> {
  for (let index = 0; ; index++) {
    const id = `last-${index}`;
    const answer = await ci.start({ id }).catch(errorOf);
    if (typeof answer === 'string') return id;
    kept.set(answer.seq, id);
  }
}

/** Sends a start until it is acknowledged. */
async function startOnceRoom(ci: Ci, id: string, kept: Map<number, string>): Promise<void> {
  const answer = await eventually(
    () => ci.start({ id, eventId: `start-${id}` }).catch(() => undefined),
    'room',
    20_000,
  );
  expect(answer.duplicate).toBe(false);
  kept.set(answer.seq, id);
}

/**
 * From 2.14 on a stream that met a full disk takes nothing more, room or not, until its server is restarted. `/healthz`
 * says so, and whoever supervises the server acts on it: here, this.
 */
async function superviseNats(system: TestSystem): Promise<void> {
  const health = await fetch(`${system.natsMonitorUrl}/healthz`);
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({
    status: 'unavailable',
    error: expect.stringMatching(/BUILDS' write error: .*no space left on device/),
  });
  await system.stop('nats');
  await system.start('nats');
}

/** Kills NATS, finds that it refuses to run where it cannot write, and starts it where it can. */
async function restartReadOnly(system: TestSystem, disk: SmallDisk, ci: Ci): Promise<void> {
  await system.kill('nats');
  disk.mountAs('ro');
  await expect(system.start('nats')).rejects.toThrow('nats');
  expect(await ci.start({ id: 'read-only' }).then(String, errorOf)).toBe('error');
  disk.mountAs('rw');
  await system.start('nats');
}

async function everythingIsKept(system: TestSystem, kept: Map<number, string>): Promise<void> {
  await using streams = await openStreams(system);
  for (const [seq, id] of kept) {
    const stored = await streams.main.direct.getMessage(STREAMS.builds, { seq });
    expect(stored?.string()).toContain(`"${id}"`);
  }
}

async function onRedis(system: TestSystem, act: (operator: Redis) => Promise<unknown>): Promise<void> {
  const operator = new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
    username: 'operator',
    password: system.secret('redis-operator'),
  });
  await act(operator).finally(() => operator.disconnect());
}

function postStart(system: TestSystem, id: string): Promise<Response> {
  const credentials = Buffer.from(`acme:${system.secret('source-acme')}`).toString('base64');
  return fetch(`${system.urlOf('build-lifecycle')}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json', authorization: `Basic ${credentials}` },
    body: JSON.stringify(startedEvent('acme', { id })),
  });
}
