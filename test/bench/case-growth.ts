import { writeFacts } from '@mayfly/build-store/layout';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import { fill, waiting } from '../backlog-fill.ts';
import { eventually, finishedEvent, startedEvent } from '../ci.ts';
import { openStreams } from '../operator.ts';
import { isActive } from '../relying-party.ts';
import { AUDIENCES, type BenchSystem, benchSystem, startBuilds } from './bench-system.ts';
import { buildsJob } from './case-by-event.ts';
import { revokeSome } from './case-revocation.ts';
import { alone, type Figure, percentile, type Section, spread } from './figure.ts';
import { httpLoad } from './http-load.ts';
import { introspectionRequest } from './introspection-requests.ts';
import type { Plan } from './plan.ts';
import { type Program, startProgram } from './program.ts';
import type { BuildsResult } from './program-builds.ts';

type Loads = { builds: Program; ends: Program; http: Awaited<ReturnType<typeof httpLoad>> };
type Medians = Record<'token by event' | 'introspection' | 'end to inactive', number[]>;
type Size = {
  count: number;
  runningBytes: number;
  finishedBytes: number;
  rebuildSeconds: number;
  medians: Medians;
};

/** An event of about 1.3 KB. */
const PADDING = 'x'.repeat(750);

/** Measures what more running builds cost: Redis a build, the medians of latencies, and the time to rebuild. */
export async function growth(plan: Plan): Promise<Section> {
  const sizes: Size[] = [];
  for (const count of plan.sizes) sizes.push(await measureSize(count, plan));
  const [first] = sizes as [Size, ...Size[]];
  const figures = sizes.flatMap((size) => figuresOf(size, first));
  const { event, facts } = sampleSizes();
  const text = [
    `Every build is started over NATS with an event of ${event} bytes, of which ${facts} bytes are stored as facts (one JSON string); half of them are then finished, Redis is emptied, and the projection rebuilds from BUILDS. A system of its own for each size.`,
    plan.mode === 'full'
      ? ''
      : 'A hundred thousand and a million running builds are measured with `npm run bench -- --full`.',
  ].filter((line) => line !== '');
  return { name: 'growth', title: 'Growth', text, figures, plots: [] };
}

function figuresOf(
  { count, runningBytes, finishedBytes, rebuildSeconds, medians }: Size,
  first: Size,
): Figure[] {
  const at = `at ${count.toLocaleString('en')} builds`;
  const latencies = Object.entries(medians).map(([what, values]): Figure => {
    const figure = alone(`${what}, p50 ${at}`, 'ms', values);
    if (count === first.count) return figure;
    const base = spread(first.medians[what as keyof Medians]);
    const ratio = spread(values.map((value) => value / base.median));
    const beside = { name: `${first.count.toLocaleString('en')} builds`, value: base, ratio };
    return { ...figure, beside, aim: { atMost: 1.2 } };
  });
  return [
    alone(`Redis a running build beyond its facts, ${at}`, 'bytes', [runningBytes], { atMost: 400 }),
    alone(`Redis a finished build, ${at}`, 'bytes', [finishedBytes], { atMost: 150 }),
    ...latencies,
    alone(`rebuild of ${count.toLocaleString('en')} starts and half as many ends`, 's', [rebuildSeconds], {
      atMost: 60,
    }),
  ];
}

async function measureSize(count: number, plan: Plan): Promise<Size> {
  await using ours = await benchSystem();
  await using streams = await openStreams(ours.system);
  await using builds = startProgram('./program-builds.ts');
  await using ends = startProgram('./program-revocation.ts');
  await using http = await httpLoad();
  const { ci, redis, system } = ours;
  const isDrained = async () => {
    const left = await waiting(streams);
    return left.starts + left.ends === 0;
  };
  const drained = () => eventually(isDrained, 'projected events', 1_200_000);
  const empty = await usedBytes(ours);
  await fill(ci, count, (index) => ['started', paddedStart(`grown-${index}`)]);
  await drained();
  const { facts } = sampleSizes();
  const running = (await usedBytes(ours)) - empty;
  const medians = await mediansOf(ours, { builds, ends, http }, plan, count);

  const before = await usedBytes(ours);
  const half = Math.floor(count / 2);
  await fill(ci, half, (index) => ['finished', finishedEvent('acme', `grown-${index * 2}`)]);
  await drained();
  const finishedBytes = running / count + ((await usedBytes(ours)) - before) / half;
  const [grant] = await startBuilds(ours, 'survivor', 1, AUDIENCES.ES256);
  const token = grant?.data.id_tokens['API_TOKEN'] as string;
  const began = performance.now();
  await redis.flushall();
  await eventually(async () => (await isActive(system, token)) === true, 'rebuilt projection', 600_000);
  const rebuildSeconds = (performance.now() - began) / 1000;
  return { count, runningBytes: running / count - facts, finishedBytes, rebuildSeconds, medians };
}

/** Latencies at low rates, so that they are those of a system at rest with so many builds in it. */
async function mediansOf(ours: BenchSystem, loads: Loads, plan: Plan, count: number): Promise<Medians> {
  const { pacedRounds, pacedSeconds: seconds } = plan;
  const medians: Medians = { 'token by event': [], introspection: [], 'end to inactive': [] };
  const grants = await startBuilds(ours, 'asked', 50, AUDIENCES.ES256);
  const requests = grants.map(({ data }) =>
    introspectionRequest(ours, 'ES256', data.id_tokens['API_TOKEN'] as string),
  );
  const asked = { port: ours.port('jwks-publisher'), requests, connections: 16, seconds, perSecond: 200 };
  const started = { ...buildsJob(ours, 'ES256', seconds), perSecond: 100 };
  for (let round = -1; round < pacedRounds; round++) {
    const tokens = await loads.builds.ask<BuildsResult>(started);
    const questions = await loads.http.paced(asked);
    const ended = await revokeSome(ours, loads.ends, `ended-${count}-${round}`, Math.round(50 * seconds), 50);
    if (round < 0) continue;
    medians['token by event'].push(percentile(tokens.latencies, 0.5));
    medians.introspection.push(percentile(questions.latencies, 0.5));
    medians['end to inactive'].push(percentile(ended.introspection, 0.5));
  }
  return medians;
}

async function usedBytes({ redis }: BenchSystem): Promise<number> {
  const info = await redis.info('memory');
  const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
  // What is on its way to a client or to the file of commands is not the builds'.
  return field('used_memory') - field('mem_aof_buffer') - field('mem_clients_normal');
}

function paddedStart(id: string) {
  return startedEvent('acme', { id, idTokens: null, build: { ref: `refs/heads/${PADDING}` } });
}

function sampleSizes(): { event: number; facts: number } {
  const event = paddedStart('grown-0');
  return { event: JSON.stringify(event).length, facts: writeFacts(event.data as AdmittedBuild).length };
}
