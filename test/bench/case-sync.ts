import { type BenchSystem, benchSystem, syncAlways } from './bench-system.ts';
import { buildsJob } from './case-by-event.ts';
import { compared, percentile, type Section } from './figure.ts';
import type { Plan } from './plan.ts';
import { startProgram } from './program.ts';
import type { BuildsResult } from './program-builds.ts';
import { alternate } from './rounds.ts';

const RATE = 1000;

/** Measures what `sync_interval: always` costs: tokens by event, with it and without. */
export async function sync(plan: Plan): Promise<Section> {
  await using usual = await benchSystem();
  await using synced = await benchSystem();
  await using load = startProgram('./program-builds.ts');
  await syncAlways(synced);
  const closed = (ours: BenchSystem) => load.ask<BuildsResult>(buildsJob(ours, 'ES256', plan.seconds));
  const paced = (ours: BenchSystem) =>
    load.ask<BuildsResult>({ ...buildsJob(ours, 'ES256', plan.pacedSeconds), perSecond: RATE });
  const measure = async (act: typeof closed, rounds: number) => {
    await act(usual);
    await act(synced);
    return await alternate(
      rounds,
      () => act(synced),
      () => act(usual),
    );
  };
  const most = await measure(closed, plan.rounds);
  const atRate = await measure(paced, plan.pacedRounds);
  const pairs = (part: number) =>
    atRate.map(({ ours, theirs }) => ({
      ours: percentile(ours.latencies, part),
      theirs: percentile(theirs.latencies, part),
    }));
  const name = 'without';
  const rates = most.map(({ ours, theirs }) => ({ ours: ours.perSecond, theirs: theirs.perSecond }));
  const figures = [
    compared('ES256 by event: tokens a second', 'tokens/s', name, rates),
    compared(`at ${RATE} builds/s: p50`, 'ms', name, pairs(0.5)),
    compared(`at ${RATE} builds/s: p99`, 'ms', name, pairs(0.99)),
  ];
  const text = [
    'nats-server then syncs every message before it acknowledges it: what was acknowledged outlives a power cut, and not just the end of a process. Without it the server syncs every two minutes, and what was acknowledged since is lost when the machine stops. Replicated streams (R3) are the other way to keep it.',
  ];
  return { name: 'sync', title: 'With `sync_interval: always`', text, figures, plots: [] };
}
