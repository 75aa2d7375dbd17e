import { expect, test } from 'vitest';
import { clusterEngine } from './chaos-cluster.ts';
import type { Engine } from './chaos-faults.ts';
import { everyRunningBuildHasAToken, noFinishedBuildIsActive, nothingIsLost } from './chaos-oracle.ts';
import { buildsIn, runChaos, shareOf } from './chaos-run.ts';
import { singleEngine } from './chaos-single.ts';
import { connectCi } from './ci.ts';
import { openStreams } from './operator.ts';

const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const isContainers = process.env['MAYFLY_TEST_ENGINE'] === 'containers';
/** Builds a second, and seconds: for a run that is shorter, or longer, than it would be. */
const RATE = Number(process.env['MAYFLY_TEST_CHAOS_RATE'] ?? (isFull ? 500 : 100));
const SECONDS = Number(process.env['MAYFLY_TEST_CHAOS_SECONDS'] ?? (isFull ? 600 : 20));
const LEAST_FAULTS = SECONDS >= 600 ? 20 : 3;
const LEAST_BUILDS_IN_FAULT = RATE / 10;
/** How long an end may take in steady state, ms. Containers share the cores with the load and with all the ways to them. */
const MOST_MS = isContainers ? 1000 : 250;

/** A fault of a cluster takes until it is whole again: long enough is left after each for a steady state of two seconds. */
const SINGLE = { where: 'one NATS and one Redis', open: singleEngine, calmMs: 1000 };
const CLUSTER = {
  where: 'three NATS servers with R3 streams and a Redis that fails over',
  ...{ open: clusterEngine, calmMs: 8000 },
};

for (const { where, open, calmMs } of isFull && !isContainers ? [SINGLE, CLUSTER] : [SINGLE]) {
  test(`on ${where}, under load, with parts killed, paused and cut off, nothing acknowledged is lost and nothing finished stays active`, {
    timeout: (SECONDS + 300) * 1000,
  }, async () => {
    await using stack = new AsyncDisposableStack();
    await endures(await open(stack), calmMs);
  });
}

async function endures(engine: Engine, calmMs: number): Promise<void> {
  const { system } = engine;
  await using ci = await connectCi(system);
  await using streams = await openStreams(system);

  const { ledger, faults, steady, tooLate } = await runChaos(engine, ci, {
    rate: RATE,
    seconds: SECONDS,
    calmMs,
    warmMs: isContainers ? 5000 : 0,
  });

  await nothingIsLost(ledger, streams);
  await everyRunningBuildHasAToken(ledger, ci, system);
  await noFinishedBuildIsActive(ledger, system);
  expect(tooLate).toEqual([]);
  const counted = faults.filter((fault) => buildsIn(fault, ledger) >= LEAST_BUILDS_IN_FAULT);
  expect(counted.length).toBeGreaterThanOrEqual(LEAST_FAULTS);
  // Of the hundred ends of a short run the 99th part is one: there it is printed, and the 95th held.
  expect(shareOf(steady, isFull ? 0.99 : 0.95)).toBeLessThan(MOST_MS);
}
