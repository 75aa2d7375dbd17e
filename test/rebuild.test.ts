import { randomUUID } from 'node:crypto';
import { CONSUMERS, STREAMS } from '@mayfly/contracts/bus';
import { DeliverPolicy, jetstream } from '@nats-io/jetstream';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { type Ci, connectCi, eventually, finishedEvent, startedEvent } from './ci.ts';
import { openStreams, type Streams } from './operator.ts';
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

async function flush(system: TestSystem): Promise<void> {
  const redis = new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
    username: 'operator',
    password: system.secret('redis-operator'),
  });
  await redis.flushall();
  redis.disconnect();
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
