import { availableParallelism } from 'node:os';
import { type BenchSystem, benchSystem } from './bench-system.ts';
import { buildsJob } from './case-by-event.ts';
import { tokenRequests } from './case-by-request.ts';
import { compared, type Figure, type Section } from './figure.ts';
import { type HttpLoad, httpLoad } from './http-load.ts';
import type { Plan } from './plan.ts';
import { type Program, startProgram } from './program.ts';
import type { BuildsResult } from './program-builds.ts';
import { alternate } from './rounds.ts';

const CONNECTIONS = 32;
const CORES_FOR_BOTH = 8;
/** Held to only where there are cores for both. */
const AIM = availableParallelism() >= CORES_FOR_BOTH ? { atLeast: 1 } : undefined;
const SERVICES = ['nats', 'redis', 'key-manager', 'build-lifecycle', 'issuer', 'jwks-publisher'];

/** Measures two of each service against one: tokens a second by request and by event, ES256 and RS256. */
export async function replicas(plan: Plan): Promise<Section> {
  await using one = await benchSystem();
  await using two = await benchSystem({ replicas: 2 });
  await using http = await httpLoad();
  await using builds = startProgram('./program-builds.ts');
  const figures: Figure[] = [];
  const text = [
    `On ${availableParallelism()} cores, which one of each service can fill already: the aim, nothing slower, is held to where there are ${CORES_FOR_BOTH} or more.`,
  ];
  for (const alg of ['RS256', 'ES256'] as const) {
    const requests = [
      await requestsOf(one, alg, ['issuer']),
      await requestsOf(two, alg, ['issuer', 'issuer-2']),
    ];
    const ask = (side: number) => byRequest(http, requests[side] as Asked[], plan.seconds);
    figures.push(
      await compare(
        `${alg} by request`,
        plan,
        () => ask(0),
        () => ask(1),
      ),
    );
    const start = (system: BenchSystem) => byEvent(builds, system, alg, plan.seconds);
    const before = usage(two);
    figures.push(
      await compare(
        `${alg} by event`,
        plan,
        () => start(one),
        () => start(two),
      ),
    );
    text.push(`CPU of two of each, ${alg} by event: ${describeUsage(before, usage(two))}.`);
  }
  return { name: 'replicas', title: 'Two of each service', text, figures, plots: [] };
}

type Asked = { port: number; requests: string[] };

async function requestsOf(ours: BenchSystem, alg: 'RS256' | 'ES256', issuers: string[]): Promise<Asked[]> {
  const all: Asked[] = [];
  for (const at of issuers) all.push({ port: ours.port(at), requests: await tokenRequests(ours, alg, at) });
  return all;
}

async function byRequest(http: HttpLoad, asked: Asked[], seconds: number): Promise<number> {
  const connections = (2 * CONNECTIONS) / asked.length;
  const results = await Promise.all(asked.map((one) => http.closed({ ...one, connections, seconds })));
  return results.reduce((sum, { perSecond }) => sum + perSecond, 0);
}

async function byEvent(builds: Program, ours: BenchSystem, alg: 'RS256' | 'ES256', seconds: number) {
  return (await builds.ask<BuildsResult>(buildsJob(ours, alg, seconds))).perSecond;
}

async function compare(what: string, plan: Plan, one: () => Promise<number>, two: () => Promise<number>) {
  await one();
  await two();
  const pairs = await alternate(plan.rounds, two, one);
  return compared(`${what}: tokens a second, two of each`, 'tokens/s', 'one of each', pairs, AIM);
}

function usage(ours: BenchSystem): number[] {
  return SERVICES.map(ours.cpuSecondsOf);
}

/** Which part took how much of what all took: where the limit is. */
function describeUsage(before: number[], after: number[]): string {
  const used = after.map((seconds, index) => seconds - (before[index] ?? 0));
  const all = used.reduce((sum, seconds) => sum + seconds, 0);
  return SERVICES.map((name, index) => `${name} ${Math.round(((used[index] ?? 0) / all) * 100)} %`).join(
    ', ',
  );
}
