import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { waiting } from './backlog-fill.ts';
import { type Ci, connectCi, eventually } from './ci.ts';
import { openStreams } from './operator.ts';
import { startProxy, type TcpProxy } from './proxy.ts';
import { testRedis } from './redis.ts';
import { introspectOnce, isActive, knownActive } from './relying-party.ts';
import { onContainers, unless } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';

const BUILDS = 30;

/** A finished build and a running one, and their tokens: what no fault may mix up. */
type Pair = { finished: string; running: string };

async function startPair(system: TestSystem, ci: Ci, name: string): Promise<Pair> {
  const tokenOf = async (id: string) => (await ci.heard(id)).data.id_tokens['API_TOKEN'] as string;
  for (const id of [`${name}-finished`, `${name}-running`]) await ci.start({ id });
  const pair = { finished: await tokenOf(`${name}-finished`), running: await tokenOf(`${name}-running`) };
  await ci.finish(`${name}-finished`);
  await eventually(async () => (await isActive(system, pair.finished)) === false, 'end');
  return pair;
}

/** Watches, until the running build is known to run again: the finished one never does, and nothing but 503 is said meanwhile. */
async function recovers(system: TestSystem, { finished, running }: Pair, deadlineMs = 20_000): Promise<void> {
  await eventually(
    async () => {
      expect(await isActive(system, finished)).not.toBe(true);
      const answer = await isActive(system, running);
      expect(answer, 'a running build is unknown, never inactive').not.toBe(false);
      return answer === true;
    },
    'recovery',
    deadlineMs,
  );
  expect(await knownActive(system, finished)).toBe(false);
}

describe('a projection that was lost', () => {
  let system: TestSystem;
  let ci: Ci;
  let operator: Redis;
  beforeAll(async () => {
    system = await testSystem({ replicas: 2 });
    ci = await connectCi(system);
    operator = new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
      username: 'operator',
      password: system.secret('redis-operator'),
      retryStrategy: () => 100,
    });
    operator.on('error', () => undefined);
  });
  afterAll(async () => {
    operator.disconnect();
    await ci[Symbol.asyncDispose]();
    await system[Symbol.asyncDispose]();
  });

  test('by FLUSHALL is rebuilt from the stream, announces nothing, and nothing finished becomes active', async () => {
    const pair = await startPair(system, ci, 'flush');
    await using streams = await openStreams(system);
    // What is recorded is announced after that, and acknowledged last.
    await eventually(async () => {
      const { starts, ends } = await waiting(streams);
      return starts === 0 && ends === 0;
    }, 'announcements');
    const announced = (await streams.lastSequences())['LIFECYCLE'];

    await operator.flushall();
    await recovers(system, pair);

    expect((await streams.lastSequences())['LIFECYCLE']).toBe(announced);
  });

  test('ends in the state of a fresh replay, whatever was done before', async () => {
    await startPair(system, ci, 'same');
    const state = async () => {
      const keys = (await operator.keys('*')).filter((key) => /^(build|status)/.test(key)).sort();
      return await Promise.all(keys.map(async (key) => [key, await operator.get(key)]));
    };
    const before = await state();

    await operator.flushall();
    await eventually(async () => (await operator.get('mark')) !== null, 'mark');

    expect(await state()).toEqual(before);
    expect(before.length).toBeGreaterThan(2);
  });

  test('by a restart without its files is rebuilt too', async () => {
    const pair = await startPair(system, ci, 'empty');
    await operator.config('SET', 'appendonly', 'no');
    await operator.flushall();

    await system.kill('redis');
    await system.start('redis');

    await recovers(system, pair);
  });

  test('is not believed while Redis would evict builds', async () => {
    const pair = await startPair(system, ci, 'evicting');
    await operator.config('SET', 'maxmemory-policy', 'allkeys-lru');
    for (const name of ['build-lifecycle', 'build-lifecycle-2']) await system.kill(name);
    const starting = Promise.all(['build-lifecycle', 'build-lifecycle-2'].map((name) => system.start(name)));
    starting.catch(() => undefined);

    await eventually(async () => (await introspectOnce(system, pair.running)).status === 503, '503');
    await operator.config('SET', 'maxmemory-policy', 'noeviction');

    await starting;
    await recovers(system, pair);
  });
});

test(
  'a stale replica that is promoted never makes a finished build run again, though what came after the finish was applied first',
  unless(onContainers('services do not reach the Redis servers of this test')),
  async () => {
    await using master = await testRedis();
    await using replica = await testRedis();
    await using proxy = await startProxy(master.port);
    await using system = await systemBehind(proxy, master);
    await using ci = await connectCi(system);
    await using streams = await openStreams(system);
    const [onMaster, onReplica] = [master.connect('operator'), replica.connect('operator')];
    await follow(onReplica, onMaster, master.port);
    const ids = Array.from({ length: BUILDS }, (_, index) => `stale-${index}`);
    for (const id of [...ids, 'survivor']) await ci.start({ id });
    const tokens = await Promise.all(
      ids.map(async (id) => (await ci.heard(id)).data.id_tokens['API_TOKEN'] as string),
    );
    const survivor = (await ci.heard('survivor')).data.id_tokens['API_TOKEN'] as string;

    // One of two replicas of build-lifecycle holds ends that it has not applied, while the other applies later ones.
    await system.pause('build-lifecycle-2');
    await Promise.all(ids.map((id) => ci.finish(id)));
    await eventually(async () => {
      const { num_ack_pending, delivered, ack_floor } = await streams.main.consumers.info(
        STREAMS.builds,
        CONSUMERS.ends,
      );
      return (
        num_ack_pending > 0 && num_ack_pending < BUILDS && delivered.consumer_seq > ack_floor.consumer_seq
      );
    }, 'ends that are applied out of order');
    await eventually(async () => {
      const active = await Promise.all(tokens.map((token) => isActive(system, token)));
      return active.includes(true) && active.includes(false);
    }, 'some ends applied, some not');
    await onReplica.call('REPLICAOF', 'NO', 'ONE');
    await system.resume('build-lifecycle-2');
    await eventually(
      async () =>
        (await Promise.all(tokens.map((token) => isActive(system, token)))).every((one) => one === false),
      'every end applied',
    );

    await master.kill();
    proxy.switchTo(replica.port);

    await eventually(async () => {
      const answers = await Promise.all(tokens.map((token) => isActive(system, token)));
      expect(answers).not.toContain(true);
      return answers.every((one) => one === false) && (await isActive(system, survivor)) === true;
    }, 'recovery');
  },
);

async function systemBehind(
  proxy: TcpProxy,
  redis: { port: number; deploymentSecret(name: string): string },
): Promise<TestSystem> {
  const settings = (service: string) => ({
    REDIS_URL: `redis://127.0.0.1:${proxy.port}`,
    REDIS_PASSWORD_FILE: redis.deploymentSecret(`redis-${service}`),
  });
  return await testSystem({
    replicas: 2,
    environment: {
      'build-lifecycle': settings('build-lifecycle'),
      issuer: settings('issuer'),
      'jwks-publisher': settings('jwks-publisher'),
    },
  });
}

async function follow(replica: Redis, master: Redis, port: number): Promise<void> {
  const { username, password } = master.options;
  await replica.config('SET', 'masteruser', username as string);
  await replica.config('SET', 'masterauth', password as string);
  await replica.call('REPLICAOF', '127.0.0.1', String(port));
  await eventually(
    async () => /master_link_status:up/.test(await replica.info('replication')),
    'replication',
  );
}
