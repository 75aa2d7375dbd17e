import { cpus } from 'node:os';
import { doFault, type Engine, type Fault, untilTrue } from './chaos-faults.ts';
import { type LedgerEntry, startLoad } from './chaos-load.ts';
import { watchEnds } from './chaos-watch.ts';
import { type Ci, eventually } from './ci.ts';
import { randomFrom } from './random.ts';

/**
 * How much, for how long, with how many faults at least, how long nothing happens between two of them, and how long it takes
 * to be warm.
 */
export type ChaosPlan = {
  rate: number;
  seconds: number;
  leastFaults: number;
  calmMs: number;
  warmMs: number;
};

/** What came of it. */
export type Chaos = {
  ledger: LedgerEntry[];
  faults: Fault[];
  /** How long ends took in steady state, from the quickest (ms). */
  steady: number[];
  /** Ends after which a replica still said yes for longer than it may, ms. */
  tooLate: { id: string; ms: number; isNearFault: boolean }[];
};

const SEED = process.env['MAYFLY_TEST_SEED'];
const STEADY_MS = 5000;
/** How long cold processes may take to work off the backlog that they begin with, where the machine is slow. */
const MOST_WARM_MS = 120_000;
/** How long an end may take to be known everywhere: in steady state, and across a fault. */
const LIMITS_MS = { steady: 1000, fault: 5000 };

/** Starts builds at a fixed rate and makes one trouble after another; prints the seed and the figures, and gives what came of it. */
export async function runChaos(engine: Engine, ci: Ci, plan: ChaosPlan): Promise<Chaos> {
  const { rate, warmMs } = plan;
  const seed = Number(SEED ?? Date.now() % 2 ** 31);
  const random = randomFrom(seed);
  const watch = watchEnds(engine.system, rate);
  await untilTrue(engine.isWhole, 'whole system');
  const load = startLoad({ ci, ratePerSecond: rate, random: randomFrom(seed + 1), onFinish: watch.finished });
  const beganAt = performance.now();
  const faults: Fault[] = [];
  // The client makes an error a request, whose stack nobody reads, out of what the load has of the machine.
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  let warmAt = Number.POSITIVE_INFINITY;
  let busy = () => 0;
  try {
    await eventually(() => load.ledger.some(({ token }) => token !== undefined), 'first token', MOST_WARM_MS);
    await passes(warmMs);
    await eventually(() => isWarm(load.ledger, rate), 'tokens that follow starts at once', MOST_WARM_MS);
    warmAt = performance.now();
    busy = machineTime();
    console.log(`seed ${seed}: warm after ${((warmAt - beganAt) / 1000).toFixed(1)} s`);
    await makeTrouble(engine, faults, { ...plan, random });
  } finally {
    console.log(`seed ${seed}: ${faults.map(told).join(', ')}`);
    console.log(`seed ${seed}: the machine was ${(busy() * 100).toFixed(0)} % busy`);
    await load.stop();
    Error.stackTraceLimit = stackTraceLimit;
  }
  await watch.done();

  // What has just started, all at once, is no steadier than what comes back from a fault.
  const isNearFault = (at: number) =>
    at < warmAt || faults.some(({ from, wholeAt }) => at > from - 1000 && at < wholeAt + LIMITS_MS.fault);
  const sorted = (latencies: typeof watch.latencies) =>
    latencies.map(({ ms }) => ms).sort((one, other) => one - other);
  const steady = sorted(watch.latencies.filter(({ at }) => at >= warmAt && !isNearFault(at)));
  const late = watch.late.map(({ id, at, ms }) => ({ id, ms: Math.round(ms), isNearFault: isNearFault(at) }));
  const share = (part: number) => shareOf(steady, part).toFixed(0);
  console.log(
    `seed ${seed}: ${load.ledger.length} builds at ${rate}/s, ${faults.length} faults; ` +
      `finish to active:false p50 ${share(0.5)}, p95 ${share(0.95)}, p99 ${share(0.99)} ms in steady state (${steady.length} samples), ` +
      `worst over all faults ${(sorted(watch.latencies).at(-1) ?? 0).toFixed(0)} ms; ` +
      `last yes after an end ${Math.max(0, ...late.map(({ ms }) => ms))} ms later`,
  );
  const tooLate = late.filter((one) => one.ms > (one.isNearFault ? LIMITS_MS.fault : LIMITS_MS.steady));
  return { ledger: load.ledger, faults, steady, tooLate };
}

/** Begins to measure; gives what says which part of the processors' time was used since then: near 1, latencies are the machine's. */
function machineTime(): () => number {
  const read = () => {
    const times = cpus().map((cpu) => cpu.times);
    const all = times.flatMap((one) => Object.values(one)).reduce((sum, ms) => sum + ms, 0);
    return { all, idle: times.reduce((sum, { idle }) => sum + idle, 0) };
  };
  const before = read();
  return () => {
    const { all, idle } = read();
    return 1 - (idle - before.idle) / (all - before.all);
  };
}

/** Gives the value that this part of them is below. */
export function shareOf(sorted: number[], part: number): number {
  return sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
}

/** Gives how many builds waited for their token during a fault. */
export function buildsIn({ from, to }: Fault, ledger: LedgerEntry[]): number {
  return ledger.filter(
    ({ startedAt, tokenAt = Number.POSITIVE_INFINITY }) => startedAt < to && tokenAt > from,
  ).length;
}

/** Says whether no more builds wait for their token than are started in a fifth of a second. */
function isWarm(ledger: LedgerEntry[], rate: number): boolean {
  return ledger.filter(({ tokenAt }) => tokenAt === undefined).length <= rate / 5;
}

type Troubles = Pick<ChaosPlan, 'seconds' | 'leastFaults' | 'calmMs'> & { random(): number };

async function makeTrouble(
  engine: Engine,
  faults: Fault[],
  { random, seconds, leastFaults, calmMs }: Troubles,
): Promise<void> {
  await passes(STEADY_MS);
  const until = performance.now() + seconds * 1000;
  while (performance.now() < until || faults.length < leastFaults) {
    faults.push(await doFault(engine, random));
    await passes(calmMs);
  }
}

async function passes(ms: number): Promise<void> {
  const end = performance.now() + ms;
  await eventually(() => performance.now() > end, 'time', ms + 5000);
}

function told({ what, from, to, wholeAt }: Fault): string {
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  return `${what} (${seconds(to - from)} s, whole after ${seconds(wholeAt - to)} s)`;
}
