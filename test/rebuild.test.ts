import { randomUUID } from 'node:crypto';
import { MARK_KEY } from '@mayfly/build-store/layout';
import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import { freePort } from '@mayfly/infra/processes';
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { type Ci, connectCi, eventually, finishedEvent, startedEvent } from './ci.ts';
import { openStreams, type Streams } from './operator.ts';
import { startProxy } from './proxy.ts';
import { isActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const AT_ONCE = 500;
/** Starts, ends, and how long the rebuild may take, seconds. */
const SIZES: [number, number, number][] = isFull
  ? [
      [100_000, 0, 10],
      [1_000_000, 500_000, 60],
    ]
  : [[6000, 3000, 5]];

test.for(SIZES)(
  '%i starts and %i ends are rebuilt into an empty Redis within %i s',
  { timeout: 900_000 },
  async ([starts, ends, seconds]) => {
    await using system = await testSystem();
    await using ci = await connectCi(system);
    await using streams = await openStreams(system);
    await system.kill('build-lifecycle');
    await fill(ci, starts, (index) => [
      'started',
      startedEvent('acme', { id: `r-${index}`, idTokens: null }),
    ]);
    await fill(ci, ends, (index) => ['finished', finishedEvent('acme', `r-${index * 2}`)]);
    expect((await streams.lastSequences())['BUILDS']).toBe(starts + ends);

    await takeAsAcknowledged(streams, starts + ends);
    await flush(system);

    // It is ready once it has rebuilt, which a million builds do not wait for.
    await system.start('build-lifecycle').catch(() => undefined);
    const rebuilt = async () => {
      const lines = (await system.log('build-lifecycle')).split('\n');
      return lines.findLast((text) => /"projection rebuilt"/.test(text) && !/"events":0\b/.test(text));
    };
    const line = await eventually(rebuilt, 'rebuilt projection', 300_000);

    const { events, ms } = JSON.parse(line) as { events: number; ms: number };
    console.log(
      `${starts} starts and ${ends} ends rebuilt in ${(ms / 1000).toFixed(1)} s (${Math.round(events / (ms / 1000))} events/s)`,
    );
    expect(events).toBe(starts + ends);
    expect(ms / 1000).toBeLessThan(seconds);
  },
);

/** Each again and again while a rebuild is under way, until it has been done so often. */
const TIMES = 6;

test.for(['Redis loses its data again', 'the way to NATS is cut'] as const)(
  'where %s in the middle of a rebuild, nothing that finished is active after it, and what runs is',
  { timeout: 120_000 },
  async (what) => {
    const ports = { nats: await freePort() };
    await using way = await startProxy(ports.nats);
    const environment = { 'build-lifecycle': { NATS_URL: `nats://127.0.0.1:${way.port}` } };
    await using system = await testSystem({ ports, environment });
    await using ci = await connectCi(system);
    const tokenOf = async (id: string) => (await ci.heard(id)).data.id_tokens['API_TOKEN'] as string;
    await fill(ci, 2000, (index) => ['started', startedEvent('acme', { id: `r-${index}`, idTokens: null })]);
    await fill(ci, 2000, (index) => ['finished', finishedEvent('acme', `r-${index}`)]);
    // Their starts are the last that are replayed, after every end.
    const ids = Array.from({ length: 40 }, (_, index) => `pair-${index}`);
    await Promise.all(ids.map((id) => ci.start({ id })));
    const tokens = await Promise.all(ids.map(tokenOf));
    const finished = tokens.filter((_, index) => index % 2 === 0);
    const running = tokens.filter((_, index) => index % 2 === 1);
    await Promise.all(ids.filter((_, index) => index % 2 === 0).map((id) => ci.finish(id)));
    const stateOf = (all: string[]) => Promise.all(all.map((token) => isActive(system, token)));
    await eventually(async () => (await stateOf(finished)).every((one) => one === false), 'ends');
    const redis = operatorOf(system);
    const isRebuilding = async () => (await redis.exists('rebuilding')) === 1;
    const hasStarts = async () => (await isRebuilding()) && (await redis.keys('status:*')).length > 0;

    const recovered = async () => {
      expect(await stateOf(finished)).not.toContain(true);
      return (await stateOf(running)).every((one) => one === true);
    };

    for (let times = 0; times < TIMES; times++) {
      await emptyUntil(times % 2 === 0 ? isRebuilding : hasStarts, redis);
      if (what === 'Redis loses its data again') continue;
      way.cut();
      way.mend();
      await eventually(recovered, 'what runs', 60_000);
    }

    await eventually(recovered, 'what runs', 60_000);
    expect(await stateOf(finished)).toEqual(finished.map(() => false));
    redis.disconnect();
  },
);

/** Empties Redis, again and again, until its rebuild is seen at a point: one may be past it between two looks. */
async function emptyUntil(isThere: () => Promise<boolean>, redis: Redis): Promise<void> {
  await eventually(
    async () => {
      await redis.flushall();
      const until = performance.now() + 10_000;
      while (performance.now() < until && (await redis.exists(MARK_KEY)) === 0) {
        if (await isThere()) return true;
      }
      return false;
    },
    'rebuild',
    60_000,
  );
}

async function flush(system: TestSystem): Promise<void> {
  const redis = operatorOf(system);
  await redis.flushall();
  redis.disconnect();
}

function operatorOf(system: TestSystem): Redis {
  return new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
    username: 'operator',
    password: system.secret('redis-operator'),
  });
}

/** Makes the two consumers anew, after the last event: as if everything had been acknowledged, and Redis then been lost. */
async function takeAsAcknowledged({ main }: Streams, lastSeq: number): Promise<void> {
  for (const name of [CONSUMERS.starts, CONSUMERS.ends]) {
    const { config } = await main.consumers.info(STREAMS.builds, name);
    await main.consumers.delete(STREAMS.builds, name);
    const from = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: lastSeq + 1 };
    await main.consumers.add(STREAMS.builds, { ...config, ...from });
  }
}

async function fill(ci: Ci, count: number, make: (index: number) => [string, object]): Promise<void> {
  const js = jetstream(ci.nats);
  for (let from = 0; from < count; from += AT_ONCE) {
    const chunk = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, offset) => {
      const [verb, event] = make(from + offset);
      return js.publish(`ci.${ci.source}.build.${verb}`, JSON.stringify(event), {
        msgID: randomUUID(),
        timeout: 30_000,
      });
    });
    await Promise.all(chunk);
  }
}
