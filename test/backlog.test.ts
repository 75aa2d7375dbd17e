import { answersOk } from '@mayfly/infra/readiness';
import { expect, test } from 'vitest';
import { fill, waiting } from './backlog-fill.ts';
import { type Ending, percentile, said, watchEnding } from './backlog-watch.ts';
import { type Ci, connectCi, eventually, finishedEvent, startedEvent } from './ci.ts';
import { openStreams, type Streams } from './operator.ts';
import { testSystem } from './system.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const STARTS = isFull ? 900_000 : 5000;
const ENDS = STARTS / 2;
const DRAIN_SECONDS = isFull ? 300 : 20;
/** How many builds finish while ends are drained, and as many again while starts are. */
const FINISHES = isFull ? 100 : 15;
const KNOWN_SECONDS = isFull ? 120 : 10;
const EVERY_MS = isFull ? 500 : 25;
const [LIFECYCLES, PUBLISHERS] = ['build-lifecycle', 'jwks-publisher'].map((name) => [name, `${name}-2`]) as [
  string[],
  string[],
];

test(`a backlog of ${STARTS} starts and ${ENDS} ends is drained ends first, and what finishes meanwhile is inactive within 5 s`, {
  timeout: 1_800_000,
}, async () => {
  await using system = await testSystem({ replicas: 2 });
  await using ci = await connectCi(system);
  await using streams = await openStreams(system);
  const tokens = await startLive(ci);
  const [survivor, ...others] = tokens as [string, ...string[]];
  for (const name of LIFECYCLES) await system.kill(name);
  await fill(ci, STARTS, (index) => [
    'started',
    startedEvent('acme', { id: `b-${index}`, ...(index === STARTS - 1 ? {} : { idTokens: null }) }),
  ]);
  await fill(ci, ENDS, (index) => ['finished', finishedEvent('acme', `b-${index * 2}`)]);
  await eventually(async () => (await said(system, PUBLISHERS[1] as string, survivor)) === 'unknown', '503');

  const from = performance.now();
  // None is ready before the ends are drained, which takes longer than a start may.
  const starting = Promise.all(LIFECYCLES.map((name) => system.start(name).catch(() => undefined)));
  const known = eventually(
    async () => (await said(system, PUBLISHERS[1] as string, survivor)) === 'active' && seconds(from),
    'live build that is known again',
    DRAIN_SECONDS * 1000,
  );
  const endings: Record<Phase, Promise<Ending>[]> = { ends: [], starts: [] };
  const drained = await watchDrain(streams, from, async (phase) => {
    if (endings[phase].length === FINISHES) return;
    const index = (phase === 'ends' ? 0 : FINISHES) + endings[phase].length;
    await ci.finish(`live-${index + 1}`);
    endings[phase].push(watchEnding(system, PUBLISHERS, others[index] as string));
  });
  await starting;
  for (const name of LIFECYCLES)
    await eventually(() => answersOk(`${system.opsUrlOf(name)}/readyz`), `ready ${name}`);
  await ci.heard(`b-${STARTS - 1}`);

  const [before, during] = await Promise.all([Promise.all(endings.ends), Promise.all(endings.starts)]);
  const noMs = during.map(({ allNoMs }) => allNoMs);
  const ended = [...before, ...during];
  console.log(
    `${STARTS} starts and ${ENDS} ends drained in ${drained.seconds.toFixed(1)} s (${Math.round((STARTS + ENDS) / drained.seconds)}/s), ` +
      `ends after ${drained.endsSeconds.toFixed(1)} s, when ${drained.startsLeft} starts were left; a live build known again after ${(await known).toFixed(1)} s; ` +
      `${before.length} builds finished while ends were drained, ${during.length} while starts were: of these active:false at both replicas p50 ${percentile(noMs, 0.5).toFixed(0)} ms, p99 ${percentile(noMs, 0.99).toFixed(0)} ms; ` +
      `last active:true of all ${Math.max(...ended.map(({ lastYesMs }) => lastYesMs)).toFixed(0)} ms after the end`,
  );
  expect(drained.seconds).toBeLessThan(DRAIN_SECONDS);
  expect(drained.startsLeft / STARTS, 'starts that waited for the ends').toBeGreaterThan(0.8);
  expect(await known).toBeLessThan(KNOWN_SECONDS);
  expect(during.length).toBeGreaterThanOrEqual(FINISHES / 3);
  expect(ended.filter(({ lastYesMs }) => lastYesMs > 5000)).toEqual([]);
  expect(Math.max(...noMs)).toBeLessThan(5000);
});

type Phase = 'ends' | 'starts';

const seconds = (from: number) => (performance.now() - from) / 1000;

async function startLive(ci: Ci): Promise<string[]> {
  const ids = Array.from({ length: 2 * FINISHES + 1 }, (_, index) => `live-${index}`);
  await Promise.all(ids.map((id) => ci.start({ id })));
  const grants = await Promise.all(ids.map((id) => ci.heard(id)));
  return grants.map(({ data }) => data.id_tokens['API_TOKEN'] as string);
}

/** Watches until nothing of BUILDS waits any more, and calls `act` every now and then while starts do. */
async function watchDrain(streams: Streams, from: number, act: (phase: Phase) => Promise<void>) {
  let ends: { seconds: number; startsLeft: number } | undefined;
  let acted = 0;
  const finished = await eventually(
    async () => {
      const left = await waiting(streams);
      if (left.ends < ENDS / 100) ends ??= { seconds: seconds(from), startsLeft: left.starts };
      if (left.starts === 0 && left.ends === 0) return { seconds: seconds(from) };
      if (left.starts > 0 && performance.now() - from > acted * EVERY_MS) {
        acted += 1;
        await act(ends ? 'starts' : 'ends');
      }
      return undefined;
    },
    'drained backlog',
    1_200_000,
  );
  return { ...finished, endsSeconds: ends?.seconds ?? Number.NaN, startsLeft: ends?.startsLeft ?? 0 };
}
