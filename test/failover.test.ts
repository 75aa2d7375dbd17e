import { markKeeper } from '@mayfly/build-store/mark-keeper';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, finishedEvent } from './ci.ts';
import { connectTo, masterPort, streamLeader } from './cluster.ts';
import { openStreams } from './operator.ts';
import { isActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const PUBLISHERS = ['jwks-publisher', 'jwks-publisher-2'];
const REDIS = ['redis-1', 'redis-2', 'redis-3'];
const DEADLINE_MS = 45_000;

let system: TestSystem;
let ci: Ci;
let sentinels: Redis[] = [];
beforeAll(async () => {
  // As soon as a dead master can be told from a busy one; how long it takes in earnest is for the chaos suite.
  system = await testSystem({ replicas: 2, cluster: { downAfterMs: 3000 } });
  ci = await connectCi(system);
  sentinels = ['sentinel-1', 'sentinel-2', 'sentinel-3'].map((name) => connectTo(system, name));
}, 150_000);
afterAll(async () => {
  for (const sentinel of sentinels) sentinel.disconnect();
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

test('nobody does more in Redis and Sentinel than replicate, watch, vote and ask for the master', async () => {
  const redis = connectTo(system, 'redis-1');
  const may = async (server: Redis, user: string, ...command: string[]) =>
    (await server.call('ACL', 'DRYRUN', user, ...command).catch((error: Error) => error.message)) === 'OK';

  for (const user of ['replica', 'sentinel'])
    for (const command of [
      'GET mark',
      'SET mark x',
      'FCALL mark_write 0',
      'FLUSHALL',
      'CONFIG SET save x',
      'ACL LIST',
    ])
      expect([user, command, await may(redis, user, ...command.split(' '))]).toEqual([user, command, false]);
  expect(await may(redis, 'replica', 'PSYNC', '?', '-1')).toBe(true);
  expect(await may(redis, 'replica', 'REPLICAOF', 'NO', 'ONE')).toBe(false);
  expect(await may(redis, 'sentinel', 'SLAVEOF', 'NO', 'ONE')).toBe(true);
  const [sentinel] = sentinels as [Redis];
  for (const user of ['services', 'peers'])
    for (const command of [
      'SENTINEL FAILOVER mayfly',
      'SENTINEL SET mayfly quorum 1',
      'SENTINEL MASTERS',
      'INFO',
    ])
      expect([user, command, await may(sentinel, user, ...command.split(' '))]).toEqual([
        user,
        command,
        false,
      ]);
  redis.disconnect();
});

test('a Redis master that dies has a successor that knows less, by which nothing finished is active and all goes on', async () => {
  const master = await masterOf();
  const replicas = REDIS.filter((name) => name !== master);

  await survives('redis', {
    before: () => stopReplication(master, replicas),
    async fault() {
      await system.kill(master);
      for (const name of replicas) await tell(name, 'SET', 'masterauth', system.secret('redis-replica'));
    },
  });

  expect(await masterOf()).not.toBe(master);
  await system.start(master);
  const redis = connectTo(system, master, 'build-lifecycle');
  const mark = { stream: 'now', runId: 'any', startsFloor: 0, endsFloor: 0, firstSeq: 1, at: 0, markedAt: 0 };
  await expect(markKeeper(redis).writeMark('us', mark)).rejects.toMatchObject({
    cause: { message: expect.stringMatching(/NOREPLICAS|READONLY/) },
  });
  redis.disconnect();
});

test('a NATS server that dies while it leads the stream of builds takes nothing with it', async () => {
  await using streams = await openStreams(system);
  const leader = await streamLeader(streams);

  await survives('nats', { fault: () => system.kill(leader as string) });
});

async function masterOf(): Promise<string> {
  const port = await eventually(() => masterPort(sentinels), 'master that Sentinels agree on');
  return REDIS[system.urlsOf('redis').findIndex((url) => Number(new URL(url).port) === port)] as string;
}

/** Has the replicas of a master hear nothing more of it, while it goes on: its last writes will be its own. */
async function stopReplication(master: string, replicas: string[]): Promise<void> {
  await tell(master, 'SET', 'min-replicas-to-write', '0');
  for (const name of replicas) await tell(name, 'SET', 'masterauth', 'wrong');
  const redis = connectTo(system, master);
  await redis.call('CLIENT', 'KILL', 'TYPE', 'replica');
  redis.disconnect();
}

async function tell(name: string, ...config: string[]): Promise<void> {
  const redis = connectTo(system, name);
  await redis.call('CONFIG', ...config);
  redis.disconnect();
}

type Story = { before?(): Promise<void>; fault(): Promise<void> };

/** Finishes a build before and during a fault, and watches at both replicas until all is as it should be, by itself. */
async function survives(name: string, { before, fault }: Story): Promise<void> {
  const ids = ['finished', 'finishing', 'running'].map((what) => `${name}-${what}`);
  const [finished, finishing] = ids as [string, string];
  for (const id of ids) await ci.start({ id });
  const tokenOf = async (id: string) => (await ci.heard(id)).data.id_tokens['API_TOKEN'] as string;
  const tokens = await Promise.all(ids.map(tokenOf));
  await before?.();
  await ci.finish(finished);
  const answers = () =>
    Promise.all(tokens.flatMap((token) => PUBLISHERS.map((at) => isActive(system, token, { at }))));
  await eventually(async () => String(await answers()) === 'false,false,true,true,true,true', 'steady state');

  await fault();
  const began = performance.now();
  const isStored = publishUntilStored(finishing);
  await eventually(
    async () => {
      const [one, other, , , ...run] = await answers();
      expect([one, other], 'what is finished').not.toContain(true);
      expect(run, 'a running build is unknown, never inactive').not.toContain(false);
      return run.every((answer) => answer === true);
    },
    'running build',
    DEADLINE_MS,
  );
  await isStored;
  await eventually(
    async () => String(await answers()) === 'false,false,false,false,true,true',
    'end of what finished meanwhile',
  );
  await ci.start({ id: `${name}-after` });
  await ci.heard(`${name}-after`);
  console.log(
    `${name}: all is known, and a new build has its token, after ${((performance.now() - began) / 1000).toFixed(1)} s`,
  );
}

async function publishUntilStored(id: string): Promise<void> {
  const body = JSON.stringify(finishedEvent('acme', id));
  const publish = () => ci.publish('ci.acme.build.finished', body, `end-of-${id}`).catch(() => undefined);
  await eventually(publish, 'acknowledged end', DEADLINE_MS);
}
