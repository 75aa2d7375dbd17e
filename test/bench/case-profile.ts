import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ServiceName } from '@mayfly/infra/service-environment';
import { AUDIENCES, type BenchSystem, benchSystem, startBuilds } from './bench-system.ts';
import { buildsJob } from './case-by-event.ts';
import { tokenRequests } from './case-by-request.ts';
import type { Section } from './figure.ts';
import { type CpuProfile, readProfile, type Span } from './flame.ts';
import { httpLoad } from './http-load.ts';
import { introspectionRequest } from './introspection-requests.ts';
import type { Plan } from './plan.ts';
import { startProgram } from './program.ts';

const SERVICES: ServiceName[] = ['key-manager', 'build-lifecycle', 'issuer', 'jwks-publisher'];
const SHOWN = 12;
/** How much longer than a round: a profile wants samples. */
const LONGER = 4;

/** Profiles every service while it is loaded, one kind of load at a time: where its CPU time goes. */
export async function profile(plan: Plan): Promise<Section> {
  const section: Section = {
    name: 'profile',
    title: 'Where the time goes',
    text: [],
    figures: [],
    plots: [],
  };
  for (const [kind, services, load] of LOADS) {
    const dir = mkdtempSync(join(tmpdir(), 'mayfly-profile-'));
    const environment = Object.fromEntries(SERVICES.map((name) => [name, profiled(dir, name)]));
    const span = await loadFor(load, plan.seconds * LONGER, environment);
    for (const service of services)
      section.plots.push(...graphs(kind, service, join(dir, service), span, section));
    rmSync(dir, { recursive: true, force: true });
  }
  return section;
}

/** Starts a system under the profiler and loads it; gives when the load began and ended: the profile has its start too. */
async function loadFor(load: Load, seconds: number, environment: Environment): Promise<Span> {
  await using ours = await benchSystem({ environment });
  const from = nowMicros();
  await load(ours, seconds);
  return { from, to: nowMicros() };
}

const nowMicros = () => Number(process.hrtime.bigint() / 1000n);

function profiled(dir: string, service: string) {
  return { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${join(dir, service)}` };
}

type Environment = Partial<Record<ServiceName, Record<string, string>>>;
type Load = (ours: BenchSystem, seconds: number) => Promise<void>;
const LOADS: [string, ServiceName[], Load][] = [
  ['by-event', ['build-lifecycle', 'issuer', 'key-manager'], loadByEvent],
  ['by-request', ['issuer', 'key-manager'], loadByRequest],
  ['introspection', ['jwks-publisher'], loadIntrospection],
];

async function loadByEvent(ours: BenchSystem, seconds: number): Promise<void> {
  await using load = startProgram('./program-builds.ts');
  await load.ask(buildsJob(ours, 'ES256', seconds));
}

async function loadByRequest(ours: BenchSystem, seconds: number): Promise<void> {
  await using load = await httpLoad();
  const requests = await tokenRequests(ours, 'ES256');
  await load.closed({ port: ours.port('issuer'), requests, connections: 64, seconds });
}

async function loadIntrospection(ours: BenchSystem, seconds: number): Promise<void> {
  await using load = await httpLoad();
  const grants = await startBuilds(ours, 'asked', 100, AUDIENCES.ES256);
  const requests = grants.map(({ data }) =>
    introspectionRequest(ours, 'ES256', data.id_tokens['API_TOKEN'] as string),
  );
  await load.closed({ port: ours.port('jwks-publisher'), requests, connections: 64, seconds });
}

/** The main thread's profile is the one with the most in it. */
function graphs(kind: string, service: string, dir: string, span: Span, section: Section): Section['plots'] {
  const files = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  const profiles = files.map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as CpuProfile);
  const title = `${service}, ${kind}, ES256`;
  const read = profiles
    .map((one) => readProfile(one, title, span))
    .toSorted((a, b) => b.busyMs - a.busyMs)[0];
  if (!read) return [];
  const rows = read.top
    .slice(0, SHOWN)
    .map(({ name, ms }) => `${((ms / read.busyMs) * 100).toFixed(1)} % ${name}`);
  section.text.push(
    `\n**${title}**, of ${(read.busyMs / 1000).toFixed(1)} s of CPU, alone: ${rows.map((row) => `\`${row}\``).join(', ')}.`,
  );
  return [{ kind: 'drawn', title, svg: read.svg }];
}
