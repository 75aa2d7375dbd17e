import { randomUUID } from 'node:crypto';
import { buildKey } from '@mayfly/build-store/layout';
import { SERVICES } from '@mayfly/infra/service-environment';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, startedEvent } from './ci.ts';
import { CLOCKS, type Clock, type Clocks, fakeClocks, findFakeTime } from './clock-fake.ts';
import { commandAs, openStreams } from './operator.ts';
import { introspectOnce, isActive, knownActive, requestToken, requestTokenOnce } from './relying-party.ts';
import { onContainers, unless } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
const HOUR = 3600;
const POLICY = `
sources:
  acme: { audiences: [https://api.example.com], algorithms: { https://api.example.com: ES256 } }
  beating: { audiences: [https://api.example.com], heartbeat: 60s }
relying_parties:
  api: { audiences: [https://api.example.com] }
`;

const elsewhere = onContainers('clocks are not those of this test');
const library = elsewhere ? undefined : await findFakeTime();
const reason = elsewhere ?? (library ? undefined : 'libfaketime cannot be had');

describe('with clocks that differ', unless(reason), () => {
  let clocks: Clocks;
  let system: TestSystem;
  let ci: Ci;
  beforeAll(async () => {
    clocks = await fakeClocks(library as string);
    system = await testSystem({ policy: POLICY, environment: clocks.environment });
    ci = await connectCi(system);
  });
  afterEach(async () => {
    clocks.set(CLOCKS, 0);
    await eventually(() => isSigned(), 'right clocks', 30_000);
  });
  afterAll(async () => {
    await ci[Symbol.asyncDispose]();
    await system[Symbol.asyncDispose]();
    clocks[Symbol.dispose]();
  });

  const tokenOf = async (from: Ci, id: string) =>
    (await from.heard(id)).data.id_tokens['API_TOKEN'] as string;

  /** Starts a build and waits until it is on record, with the grant that says where to ask. */
  async function runningBuild() {
    const id = randomUUID();
    await ci.start({ id });
    return await ci.heard(id);
  }

  /** Says whether a build that starts now can have a token. */
  async function isSigned(): Promise<boolean> {
    const id = randomUUID();
    await ci.start({ id });
    const grant = await eventually(() => ci.askGrant(id, 1, 0).catch(() => undefined), 'grant', 3000).catch(
      () => undefined,
    );
    return grant?.data.id_tokens['API_TOKEN'] !== undefined;
  }

  const SKEWS: [string, Clock[], number[]][] = [
    ['the issuer', ['issuer'], [HOUR, -HOUR, 10, -10]],
    ['key-manager', ['key-manager'], [HOUR, -HOUR, 10, -10]],
    ['Redis', ['redis'], [10]],
    ['every service and Redis together', [...SERVICES, 'redis'], [10]],
  ];
  const cases = SKEWS.flatMap(([what, who, all]) =>
    (isFull ? all : all.slice(-1)).map((seconds) => ({ what, who, seconds })),
  );
  test.for(cases)(
    'nothing is signed while the clock of $what is off by $seconds s, and everything once it is right',
    { timeout: 60_000 },
    async ({ who, seconds }) => {
      const grant = await runningBuild();
      expect((await requestToken(system, grant, AUDIENCE)).status).toBe(200);

      clocks.set(who, seconds);
      await believe(who, seconds);
      const token = grant.data.id_tokens['API_TOKEN'] as string;
      await eventually(() => isActive(system, token), 'fresh projection');
      await eventually(
        async () => (await requestTokenOnce(system, grant, AUDIENCE)).status === 503,
        'refusal',
      );
      const waiting = randomUUID();
      await ci.start({ id: waiting });
      const answers = await Promise.all(
        [...'0123456789'].map(() => requestTokenOnce(system, grant, AUDIENCE)),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
      expect(ci.take(waiting)).toBeUndefined();

      clocks.set(CLOCKS, 0);
      await ci.heard(waiting);
      await eventually(async () => (await requestToken(system, grant, AUDIENCE)).status === 200, 'token');
    },
  );

  test.for(isFull ? [2 * HOUR, -2 * HOUR] : [-2 * HOUR])(
    'with the clock of build-lifecycle off by %i s builds start, beat, are revoked and end as ever',
    async (seconds) => {
      await using beating = await connectCi(system, 'beating');
      clocks.set(['build-lifecycle'], seconds);
      const [finished, revoked] = [await runningBuild(), await runningBuild()];
      const [id, alive] = [randomUUID(), randomUUID()];
      await believe(['build-lifecycle'], seconds);
      await beating.start({ id: alive });
      const survivor = await tokenOf(beating, alive);

      await ci.finish(finished.data.id);
      await commandAs(system, 'builds.revoke', { source: 'acme', id: revoked.data.id });
      const http = await postStart(id);

      for (const { data } of [finished, revoked]) {
        const token = data.id_tokens['API_TOKEN'] as string;
        await eventually(async () => (await isActive(system, token)) === false, 'end');
      }
      expect(http.status).toBe(202);
      await ci.heard(id);
      // Somebody who looked at its heartbeats by the wrong clock would have ended it at once.
      expect(await knownActive(system, survivor, { source: 'beating' })).toBe(true);
      await using streams = await openStreams(system);
      expect(await streams.deadLetters('acme')).toEqual([]);
    },
  );

  test.for(isFull ? [HOUR, -HOUR] : [-HOUR])(
    'with the clock of build-lifecycle off by %i s an end that cannot be recorded still makes everything unknown',
    async (seconds) => {
      clocks.set(['build-lifecycle'], seconds);
      await believe(['build-lifecycle'], seconds);
      const grant = await runningBuild();
      const token = grant.data.id_tokens['API_TOKEN'] as string;
      const stuck = randomUUID();
      await onRedis((operator) => operator.rpush(buildKey('acme', stuck), 'not a record of ours'));

      await ci.finish(stuck);
      await eventually(async () => (await introspectOnce(system, token)).status === 503, '503');
      await onRedis((operator) => operator.del(buildKey('acme', stuck)));

      await eventually(() => isActive(system, token), 'freshness');
    },
  );

  /** Waits until all of these believe the clocks that they were given. */
  async function believe(who: readonly Clock[], seconds: number): Promise<void> {
    const isOff = async (one: Clock) => Math.abs((await timeOf(one)) - Date.now() - seconds * 1000) < 2500;
    for (const one of who) await eventually(() => isOff(one), `clock of ${one} that is off`);
  }

  /** What a service answers with as the date, or Redis as its time. */
  async function timeOf(one: Clock): Promise<number> {
    if (one === 'redis') return Number((await onRedis((operator) => operator.time()))[0]) * 1000;
    const { headers } = await fetch(`${system.opsUrlOf(one)}/livez`);
    return Date.parse(headers.get('date') as string);
  }

  async function onRedis<T>(act: (operator: Redis) => Promise<T>): Promise<T> {
    const operator = new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
      username: 'operator',
      password: system.secret('redis-operator'),
    });
    return await act(operator).finally(() => operator.disconnect());
  }

  function postStart(id: string): Promise<Response> {
    return fetch(`${system.urlOf('build-lifecycle')}/events`, {
      method: 'POST',
      headers: {
        'content-type': 'application/cloudevents+json',
        authorization: `Basic ${Buffer.from(`acme:${system.secret('source-acme')}`).toString('base64')}`,
      },
      body: JSON.stringify(startedEvent('acme', { id })),
    });
  }
});
