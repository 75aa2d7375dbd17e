import { STREAMS } from '@mayfly/contracts/bus';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { fill } from './backlog-fill.ts';
import { said } from './backlog-watch.ts';
import { type Ci, connectCi, eventually, finishedEvent, startedEvent } from './ci.ts';
import { openStreams, type Streams } from './operator.ts';
import { randomFrom } from './random.ts';
import { type TestSystem, testSystem } from './system.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const ROUNDS = isFull ? 50 : 3;
/** What there is to recover: builds that run for the whole test. */
const BUILDS = isFull ? 20_000 : 1500;
/** Least and most builds that are started while the parts of one round are killed. */
const A_ROUND = [8, 30] as const;
const PARTS = ['nats', 'redis', 'build-lifecycle'];
/** Longest that a part is let recover before it is killed again, ms. */
const LONGEST_MS = 400;
/** What a service needs before it does anything, ms. */
const STARTS_MS = 200;

type Life = { id: string; startSeq: number; finishSeq?: number };

test(`parts that are killed while they recover, ${ROUNDS} times each, lose nothing acknowledged and recover in the end`, {
  timeout: 60_000 + ROUNDS * 30_000,
}, async () => {
  const seed = Number(process.env['MAYFLY_TEST_SEED'] ?? Date.now() % 2 ** 31);
  const random = randomFrom(seed);
  await using system = await testSystem();
  await using ci = await connectCi(system);
  await using streams = await openStreams(system);
  await fill(ci, BUILDS, (index) => [
    'started',
    startedEvent('acme', { id: `old-${index}`, idTokens: null }),
  ]);
  const lives: Life[] = [];
  const recoveries: number[] = [];

  for (let round = 0; round < ROUNDS; round++) {
    const isOver = { now: false };
    const publishing = publishBuilds(ci, round, lives, isOver);
    // Every other time there is nothing left in Redis, and all of it has to come from the stream.
    if (round % 2 === 0) await flush(system);
    recoveries.push(await killAndRecover(system, () => random() * LONGEST_MS));
    isOver.now = true;
    await publishing;
  }

  const lost = await lostOf(lives, streams);
  expect(lost).toEqual([]);
  const [running, finished] = [true, false].map((runs) =>
    lives.filter(({ finishSeq }) => (finishSeq === undefined) === runs),
  ) as [Life[], Life[]];
  for (const life of running) await isKnownToRun(life, ci, system);
  for (const life of finished) await isKnownToHaveEnded(life, ci, system);
  console.log(
    `seed ${seed}: ${ROUNDS} rounds, ${lives.length} builds acknowledged meanwhile (${running.length} run), ${lost.length} lost; ` +
      `all up again after at most ${(Math.max(...recoveries) / 1000).toFixed(1)} s`,
  );
  expect(Math.min(running.length, finished.length)).toBeGreaterThanOrEqual(ROUNDS);
});

async function flush(system: TestSystem): Promise<void> {
  const operator = new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
    username: 'operator',
    password: system.secret('redis-operator'),
  });
  await operator.flushall().finally(() => operator.disconnect());
}

/** Kills every part, and each again while it recovers; gives how long it took until all were ready, ms. */
async function killAndRecover(system: TestSystem, moment: () => number): Promise<number> {
  await Promise.all(PARTS.map((part) => system.kill(part)));
  for (const part of PARTS) await killWhileItRecovers(system, part, moment());
  // The servers are there now: what is killed next has begun to rebuild.
  const servers = PARTS.slice(0, 2);
  await Promise.all(servers.map((part) => system.start(part)));
  await killWhileItRecovers(system, 'build-lifecycle', STARTS_MS + moment());
  const from = performance.now();
  await system.start('build-lifecycle');
  return performance.now() - from;
}

async function lostOf(lives: Life[], { main }: Streams): Promise<string[]> {
  const acknowledged = lives.flatMap(({ id, startSeq, finishSeq }) =>
    [startSeq, finishSeq].flatMap((seq) => (seq ? [{ id, seq }] : [])),
  );
  const stored = await Promise.all(
    acknowledged.map(({ seq }) => main.direct.getMessage(STREAMS.builds, { seq })),
  );
  return acknowledged
    .filter(({ id }, index) => !stored[index]?.string().includes(`"${id}"`))
    .map(({ id }) => id);
}

async function isKnownToRun({ id }: Life, ci: Ci, system: TestSystem): Promise<void> {
  const token = await tokenOf(ci, id);
  await eventually(async () => (await said(system, 'jwks-publisher', token)) === 'active', `yes for ${id}`);
}

async function isKnownToHaveEnded({ id }: Life, ci: Ci, system: TestSystem): Promise<void> {
  await eventually(async () => (await refused(ci, id)) === true, `end of ${id}`);
  const token = ci.take(id)?.data.id_tokens['API_TOKEN'];
  if (token) expect(await said(system, 'jwks-publisher', token)).toBe('inactive');
}

/** Starts a part, lets it recover for a moment, and kills it. */
async function killWhileItRecovers(system: TestSystem, part: string, ms: number): Promise<void> {
  const starting = system.start(part).catch(() => undefined);
  const from = performance.now();
  await eventually(() => performance.now() - from > ms, 'moment');
  await system.kill(part);
  await starting;
}

/** Starts builds until the round is over, finishes every other, and keeps what was acknowledged. */
async function publishBuilds(ci: Ci, round: number, lives: Life[], isOver: { now: boolean }): Promise<void> {
  for (let index = 0; index < A_ROUND[0] || (index < A_ROUND[1] && !isOver.now); index++) {
    const id = `round-${round}-${index}`;
    const startSeq = await publishUntilStored(ci, 'started', startedEvent('acme', { id }));
    const life: Life = { id, startSeq };
    lives.push(life);
    if (index % 2 === 0) life.finishSeq = await publishUntilStored(ci, 'finished', finishedEvent('acme', id));
  }
}

async function publishUntilStored(ci: Ci, verb: string, event: { id: string }): Promise<number> {
  const body = JSON.stringify(event);
  const publish = () => ci.publish(`ci.acme.build.${verb}`, body, event.id).catch(() => undefined);
  return (await eventually(publish, 'acknowledged event', 60_000)).seq;
}

async function tokenOf(ci: Ci, id: string): Promise<string> {
  const ask = async () => (await ci.askGrant(id, 1, 0).catch(() => undefined))?.data.id_tokens['API_TOKEN'];
  return await eventually(ask, `token of ${id}`, 30_000);
}

/** Says whether a grant is refused for good; undefined where nobody answers or knows. */
async function refused(ci: Ci, id: string): Promise<boolean | undefined> {
  const answer = await ci.nats
    .request('ci.acme.grant', JSON.stringify({ id, attempt: 1 }), { timeout: 3000 })
    .catch(() => undefined);
  const { error } = answer?.json<{ error?: string }>() ?? {};
  return error === undefined || error === 'temporarily_unavailable' ? undefined : true;
}
