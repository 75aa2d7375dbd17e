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
/** How long an end may take in steady state, ms. */
const MOST_MS = 250;

/** In a full run long enough is left after each fault for what was started anew to be warm again, and steady for a while. */
const CALM_MS = isFull ? 18_000 : 1000;
/** How long the load is on before it is steady: processes that have just been started are slow. */
const WARM_MS = 5000;
const SINGLE = { where: 'one NATS and one Redis', open: singleEngine };
const CLUSTER = {
  where: 'three NATS servers with R3 streams and a Redis that fails over',
  open: clusterEngine,
};

for (const { where, open } of isFull && !isContainers ? [SINGLE, CLUSTER] : [SINGLE]) {
  test(`on ${where}, under load, with parts killed, paused and cut off, nothing acknowledged is lost and nothing finished stays active`, {
    timeout: (SECONDS + 300) * 1000,
  }, async () => {
    await using stack = new AsyncDisposableStack();
    await endures(await open(stack));
  });
}

async function endures(engine: Engine): Promise<void> {
  const { system } = engine;
  await using ci = await connectCi(system, 'acme', false);
  await using streams = await openStreams(system);

  const { ledger, faults, steady, tooLate } = await runChaos(engine, ci, {
    rate: RATE,
    seconds: SECONDS,
    // One or two may have too few builds in them to count.
    leastFaults: LEAST_FAULTS + 2,
    calmMs: CALM_MS,
    warmMs: WARM_MS,
  });

  await nothingIsLost(ledger, streams);
  await everyRunningBuildHasAToken(ledger, ci, system);
  await noFinishedBuildIsActive(ledger, system);
  expect(tooLate).toEqual([]);
  const counted = faults.filter((fault) => buildsIn(fault, ledger) >= LEAST_BUILDS_IN_FAULT);
  expect(counted.length).toBeGreaterThanOrEqual(LEAST_FAULTS);
  expect(steady.length).toBeGreaterThan(0);
  // Of a short run, and of containers, how long ends take is printed and not held: what was started anew a second ago, on a
  // machine that others use too, is as slow as that machine. How late a yes may come is held everywhere.
  if (isFull && !isContainers) expect(shareOf(steady, 0.99)).toBeLessThan(MOST_MS);
}
