import { type BareLoop, startBareLoop } from './bare-loop.ts';
import { ALGORITHMS, type Algorithm, AUDIENCES, type BenchSystem, benchSystem } from './bench-system.ts';
import { bars, rsaOnly } from './case-by-request.ts';
import { alone, compared, type Figure, type Plot, percentile, type Section, spread } from './figure.ts';
import { rawSignatures } from './openssl.ts';
import type { Plan } from './plan.ts';
import { type Program, startProgram } from './program.ts';
import type { BuildsJob, BuildsResult } from './program-builds.ts';
import { alternate, warmUp } from './rounds.ts';

type Bench = { plan: Plan; ours: BenchSystem; floor: BareLoop; load: Program };

const IN_FLIGHT = 256;
const RATE = 1000;
const FLOOR = 'bare loop';
const LEAST = { RS256: 0.75, ES256: 0.5 };

/** Measures `build.started` to token on the inbox, against the bare loop. */
export async function byEvent(plan: Plan): Promise<Section> {
  await using ours = await benchSystem();
  await using floor = await startBareLoop(ours.redisLogin);
  await using load = startProgram('./program-builds.ts');
  const bench = { plan, ours, floor, load };
  const figures: Figure[] = [];
  const plots: Plot[] = [];
  for (const alg of ALGORITHMS) {
    figures.push(...(await capacity(alg, bench)));
    const [paced, plot] = await latency(alg, bench);
    figures.push(...paced);
    plots.push(plot);
  }
  const text = [
    `Builds are started over NATS by a CI in a process of its own, ${IN_FLIGHT} under way at once for capacity; latency is from the publish to the token on the CI's inbox. The generator takes part of the same cores: its share is noted.`,
    'The bare loop checks nothing: one process, JetStream, Redis, one signature (RS256 on libuv’s threads, ES256 at once), publish.',
  ];
  const title = 'Tokens by event';
  return { name: 'by-event', title, text, figures, plots: [bars(figures, title), ...plots] };
}

/** Gives the job of starting builds in this system. */
export function buildsJob({ ci, system }: BenchSystem, alg: Algorithm, seconds: number): BuildsJob {
  const { servers, user, pass, inboxPrefix } = system.ciCredentials(ci.source);
  return {
    login: { servers, user, pass, inboxPrefix },
    audience: AUDIENCES[alg],
    seconds,
    inFlight: IN_FLIGHT,
  };
}

async function capacity(alg: Algorithm, { plan, ours, floor, load }: Bench): Promise<Figure[]> {
  const job = buildsJob(ours, alg, plan.seconds);
  const measure = async (login: BuildsJob['login'], cpu: () => number) => {
    const before = cpu();
    const result = await load.ask<BuildsResult>({ ...job, login });
    const tokens = result.latencies.length;
    return { ...result, cpuMicros: ((cpu() - before) * 1e6) / tokens };
  };
  const mine = () => measure(job.login, ours.cpuSeconds);
  const floorCpu = () => floor.cpuSeconds() + ours.cpuSecondsOf('redis');
  const theirs = () => measure({ servers: [floor.natsUrl] }, floorCpu);
  await warmUp(plan.warmUps, mine, theirs);
  const got = await alternate(
    plan.rounds,
    async () => ({ ...(await mine()), rawMicros: 1e6 / rawSignatures(alg) }),
    theirs,
  );
  const pairs = (pick: (round: BuildsResult & { cpuMicros: number }) => number) =>
    got.map((one) => ({ ours: pick(one.ours), theirs: pick(one.theirs) }));
  const toRaw = got.map(({ ours: { cpuMicros, rawMicros } }) => ({ ours: cpuMicros, theirs: rawMicros }));
  const generator = spread(got.map((one) => (one.ours.cpuSeconds / plan.seconds) * 100)).median;
  const failed = got.reduce((sum, one) => sum + one.ours.failed + one.theirs.failed, 0);
  const note = `generator ${generator.toFixed(0)} % of a core; ${failed} failed`;
  const rate = compared(
    `${alg}: tokens a second`,
    'tokens/s',
    FLOOR,
    pairs(({ perSecond }) => perSecond),
    {
      atLeast: LEAST[alg],
    },
  );
  return [
    { ...rate, note },
    compared(
      `${alg}: CPU a token`,
      'µs',
      FLOOR,
      pairs(({ cpuMicros }) => cpuMicros),
    ),
    compared(`${alg}: CPU a token`, 'µs', 'one raw signature', toRaw, ...rsaOnly(alg, { atMost: 2 })),
  ];
}

async function latency(alg: Algorithm, { plan, ours, floor, load }: Bench): Promise<[Figure[], Plot]> {
  const job = { ...buildsJob(ours, alg, plan.pacedSeconds), perSecond: RATE };
  const mine = () => load.ask<BuildsResult>(job);
  const theirs = () => load.ask<BuildsResult>({ ...job, login: { servers: [floor.natsUrl] } });
  await mine();
  await theirs();
  const got = await alternate(plan.pacedRounds, mine, theirs);
  const at = (part: number) => got.map((one) => percentile(one.ours.latencies, part));
  const floorAt = (part: number) =>
    percentile(
      got.flatMap((one) => one.theirs.latencies),
      part,
    ).toFixed(1);
  const late = percentile(
    got.flatMap((one) => one.ours.lateness),
    0.99,
  );
  const what = `${alg} at ${RATE} builds/s`;
  const note = `bare loop p50 ${floorAt(0.5)}, p99 ${floorAt(0.99)} ms; generator late by ${late.toFixed(1)} ms at p99`;
  return [
    [
      { ...alone(`${what}: p50`, 'ms', at(0.5), { atMost: 3 }), note },
      alone(`${what}: p99`, 'ms', at(0.99), { atMost: 15 }),
    ],
    {
      kind: 'latency',
      title: `Tokens by event, ${what}`,
      lines: [
        { name: 'Mayfly', latencies: got.flatMap((one) => one.ours.latencies), isOurs: true },
        { name: FLOOR, latencies: got.flatMap((one) => one.theirs.latencies), isOurs: false },
      ],
    },
  ];
}
