import { startBareLoop } from './bare-loop.ts';
import { benchSystem } from './bench-system.ts';
import { alone, compared, type Figure, percentile, type Section } from './figure.ts';
import type { Plan } from './plan.ts';
import { startProgram } from './program.ts';
import type { WakeJob, WakeResult } from './program-wake.ts';
import { alternate } from './rounds.ts';

const SELDOM = 200;
const RATE = 1000;

/**
 * Measures what the machine itself takes to wake a process that waits: the same question to Redis one after another and now
 * and then, and a request over NATS at the rate of the latencies in this report.
 */
export async function machineFloors(plan: Plan): Promise<Section> {
  await using ours = await benchSystem();
  await using floor = await startBareLoop(ours.redisLogin);
  await using asker = startProgram('./program-wake.ts');
  const { pacedRounds: rounds, pacedSeconds: seconds } = plan;
  const redis = async (job: Pick<WakeJob, 'perSecond'>) => {
    const before = ours.cpuSecondsOf('redis');
    const { latencies, cpuSeconds } = await asker.ask<WakeResult>({
      server: ours.redisLogin,
      seconds,
      ...job,
    });
    const used = cpuSeconds + ours.cpuSecondsOf('redis') - before;
    return { latencies, cpuMicros: (used * 1e6) / latencies.length };
  };
  const seldom = () => redis({ perSecond: SELDOM });
  const often = () => redis({});
  await seldom();
  await often();
  const got = await alternate(rounds, seldom, often);
  const overNats = () =>
    asker.ask<WakeResult>({ server: { natsUrl: floor.natsUrl }, seconds, perSecond: RATE });
  await overNats();
  const nats: WakeResult[] = [];
  for (let round = 0; round < rounds; round++) nats.push(await overNats());
  const natsAt = (part: number) => nats.map(({ latencies }) => percentile(latencies, part));
  const pairs = (pick: (one: (typeof got)[number]['ours']) => number) =>
    got.map((one) => ({ ours: pick(one.ours), theirs: pick(one.theirs) }));
  const beside = 'one after another';
  const question = `a PING of Redis, ${SELDOM} a second`;
  const figures: Figure[] = [
    compared(
      `${question}: CPU of both processes`,
      'µs',
      beside,
      pairs(({ cpuMicros }) => cpuMicros),
    ),
    compared(
      `${question}: p50`,
      'ms',
      beside,
      pairs(({ latencies }) => percentile(latencies, 0.5)),
    ),
    alone(`a request over NATS and its answer, ${RATE} a second: p50`, 'ms', natsAt(0.5)),
    alone(`a request over NATS and its answer, ${RATE} a second: p99`, 'ms', natsAt(0.99)),
  ];
  const text = [
    'Nothing of Mayfly: what a process that waits costs to be woken, which every figure at a fixed rate holds several times over. Where it is many times what the same question costs one after another, latencies and CPU time at fixed rates say more of the machine than of what runs on it.',
  ];
  return { name: 'machine', title: 'The machine', text, figures, plots: [] };
}
