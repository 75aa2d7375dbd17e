import { markKeeper } from '@mayfly/build-store/mark-keeper';
import { FRESH_MS } from '@mayfly/build-store/proven-read';
import { buildReader } from '@mayfly/build-store/reader';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Ci, connectCi, eventually, finishedEvent } from './ci.ts';
import { bareServer, type Fared, p99, read, residentMemory, sendRequests } from './frozen-load.ts';
import { testRedis } from './redis.ts';
import { introspectOnce, isActive, requestTokenOnce } from './relying-party.ts';
import { onContainers, unless } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const SECONDS = isFull ? 60 : 3;
const RATE = 50;
const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
const CASES = (isFull ? [['redis'], ['nats'], ['redis', 'nats']] : [['redis', 'nats']]).map((parts) => ({
  what: parts.join(' and '),
  parts,
}));
const DOCUMENTS = { discovery: '/acme/.well-known/openid-configuration', jwks: '/acme/jwks' };

describe('paused servers', unless(onContainers('memory is not that of processes here')), () => {
  let system: TestSystem;
  let ci: Ci;
  let bare: Awaited<ReturnType<typeof bareServer>>;
  beforeAll(async () => {
    bare = await bareServer();
    system = await testSystem();
    ci = await connectCi(system);
  });
  afterAll(async () => {
    await ci[Symbol.asyncDispose]();
    await system[Symbol.asyncDispose]();
    await bare[Symbol.asyncDispose]();
  });

  test.for(CASES)(
    `with $what paused for ${SECONDS} s introspection answers at once that it does not know, keys and discovery are served, and memory does not grow`,
    { timeout: (SECONDS + 60) * 1000 },
    async ({ what, parts }) => {
      const name = parts.join('-');
      const [running, ending] = [`${name}-running`, `${name}-ending`];
      await Promise.all([ci.start({ id: running }), ci.start({ id: ending })]);
      const grants = [await ci.heard(running), await ci.heard(ending)] as const;
      const [token, ended] = grants.map(({ data }) => data.id_tokens['API_TOKEN']) as [string, string];
      await eventually(() => isActive(system, token), 'active token');
      const kinds = {
        introspection: () => introspectOnce(system, token),
        discovery: () => read(system.urlOf('jwks-publisher') + DOCUMENTS.discovery),
        jwks: () => read(system.urlOf('jwks-publisher') + DOCUMENTS.jwks),
        bare: () => read(bare.url),
        token: () => requestTokenOnce(system, grants[0], AUDIENCE),
      };
      await during(500, kinds);
      const memory = residentMemory(system);

      for (const part of parts) await system.pause(part);
      const from = performance.now();
      let isEnded = false;
      const finished = finishUntilStored(ci, ending).then(() => {
        isEnded = true;
      });
      const { introspection, discovery, jwks, bare: control } = await during(SECONDS * 1000, kinds);
      const grown = growth(memory, residentMemory(system));
      for (const part of parts) await system.resume(part);
      const resumed = performance.now();
      await finished;
      const acked = performance.now();

      await eventually(async () => {
        const answer = await isActive(system, ended);
        if (isEnded && performance.now() - acked > 5000) expect(answer).not.toBe(true);
        return answer === false;
      }, 'end that came meanwhile');
      await eventually(() => isActive(system, token), 'yes for a build that runs');
      await ci.start({ id: `${name}-after` });
      await ci.heard(`${name}-after`);
      console.log(
        `${what} paused for ${SECONDS} s, ${RATE}/s of each: introspection 503 p99 ${p99(introspection).toFixed(0)} ms, discovery p99 ${p99(discovery).toFixed(1)} ms, ` +
          `JWKS p99 ${p99(jwks).toFixed(1)} ms (a bare server meanwhile ${p99(control).toFixed(1)} ms); ` +
          `memory ${JSON.stringify(grown)} MiB; all goes on after ${(performance.now() - resumed).toFixed(0)} ms`,
      );
      // The last proof holds for two seconds; where Redis is paused nobody can read it.
      const unknown = introspection.filter(({ at }) => parts.includes('redis') || at - from > FRESH_MS + 500);
      expect(statusesOf(unknown)).toEqual([503]);
      expect(p99(introspection)).toBeLessThan(250 + 2 * p99(control));
      for (const fared of [discovery, jwks]) {
        expect(statusesOf(fared)).toEqual([200]);
        // Where the machine is busy with other work as well, that is not ours.
        expect(p99(fared)).toBeLessThan(Math.max(20, 2 * p99(control)));
      }
      expect(Math.max(...Object.values(grown))).toBeLessThan(64);
    },
  );
});

test('a mark that a paused Redis writes late proves nothing of the time in between', async () => {
  await using redis = await testRedis();
  const client = redis.connect();
  const keeper = markKeeper(client);
  await keeper.prepare();
  const mark = { stream: 'now', runId: 'this', startsFloor: 0, endsFloor: 0, firstSeq: 1 };
  const write = (at: number) => keeper.writeMark('us', { ...mark, at, markedAt: at });
  const reader = buildReader({ redis: redis.connect('jwks-publisher'), runId: () => mark.runId });
  await keeper.takeRebuild('us');
  const { now } = await keeper.readMark();
  expect(await write(now)).toBe(true);
  expect(await reader.isFresh()).toBe(true);

  process.kill(redis.child().pid, 'SIGSTOP');
  const late = write(now);
  const paused = performance.now();
  await eventually(() => performance.now() - paused > FRESH_MS + 100, 'what was proven to be old');
  process.kill(redis.child().pid, 'SIGCONT');

  expect(await late).toBe(true);
  expect(await reader.isFresh()).toBe(false);
});

const statusesOf = (fared: Fared) => [...new Set(fared.map(({ status }) => status))];

async function during<K extends string>(
  ms: number,
  kinds: Record<K, () => Promise<{ status: number }>>,
): Promise<Record<K, Fared>> {
  const requests = sendRequests(kinds, RATE);
  const began = performance.now();
  await eventually(() => performance.now() - began > ms, 'time', ms + 5000);
  await requests.stop();
  return requests.fared as Record<K, Fared>;
}

function growth(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  const grown = Object.entries(after).map(([name, mib]) => [name, Math.round(mib - (before[name] ?? 0))]);
  return Object.fromEntries(grown);
}

async function finishUntilStored(ci: Ci, id: string): Promise<void> {
  const body = JSON.stringify(finishedEvent(ci.source, id));
  await eventually(
    () => ci.publish(`ci.${ci.source}.build.finished`, body, `end-of-${id}`).catch(() => undefined),
    'acknowledged end',
    (SECONDS + 30) * 1000,
  );
}
