import { fileURLToPath } from 'node:url';
import { findServers } from '@mayfly/infra/servers';
import { byEvent } from './case-by-event.ts';
import { byRequest } from './case-by-request.ts';
import { documents } from './case-documents.ts';
import { growth } from './case-growth.ts';
import { introspection } from './case-introspection.ts';
import { machineFloors } from './case-machine.ts';
import { profile } from './case-profile.ts';
import { replicas } from './case-replicas.ts';
import { revocation } from './case-revocation.ts';
import { signing, verification } from './case-scripts.ts';
import { sync } from './case-sync.ts';
import type { Section } from './figure.ts';
import { busyShare, machine, watchOthers } from './machine.ts';
import { type Plan, readPlan, USAGE } from './plan.ts';
import { missed, writeReport } from './report.ts';
import { keepSection, keptSections } from './sections.ts';

/** Measures Mayfly against floors and a peer, in the same rounds; the report is in `test/bench/report/`. */
const CASES: Record<string, (plan: Plan) => Promise<Section>> = {
  machine: machineFloors,
  'by-request': byRequest,
  'by-event': byEvent,
  signing,
  revocation,
  introspection,
  verification,
  documents,
  growth,
  replicas,
  sync,
  profile,
};

const PATIENCE_MS = 300_000;
const BUSY = 0.1;

const plan = planOrEnd();
const chosen = Object.entries(CASES).filter(([name]) => plan.only.length === 0 || plan.only.includes(name));

const path = (to: string) => fileURLToPath(new URL(to, import.meta.url));
const { nats, redis } = await findServers({ cache: path('../../.cache/servers'), say: console.error });
const where = machine({ nats: nats.version, redis: redis.version });

const folder = path(plan.mode === 'smoke' ? '../../.cache/bench/smoke' : './report');

let sections: Section[] = [];
for (const [name, measure] of chosen) {
  if (plan.isPatient) await quiet();
  const others = watchOthers();
  const [began, when] = [performance.now(), new Date().toISOString()];
  process.stderr.write(`${name} `);
  const section = await measure(plan).catch((error: unknown) => failed(name, error));
  keepSection(plan.mode, { ...section, measured: { when, others: others() } });
  sections = keptSections(plan.mode, Object.keys(CASES));
  writeReport(folder, plan, where, sections);
  process.stderr.write(` ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
}
console.log(`the report is in ${folder}`);

const short = missed(sections);
for (const line of short) console.log(`falls short: ${line}`);
if (plan.isCheck && short.length > 0) process.exitCode = 1;

/** Ends the process, with help or with what is wrong, where there is nothing to measure. */
function planOrEnd(): Plan {
  const names = Object.keys(CASES);
  try {
    const read = readPlan(process.argv.slice(2));
    const unknown = read?.only.find((name) => !names.includes(name));
    if (unknown !== undefined) throw new TypeError(`there is no case ${unknown}`);
    if (read) return read;
    console.log(`${USAGE}\n\nThe cases are ${names.join(', ')}.`);
    process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}\n\nThe cases are ${names.join(', ')}.`);
    process.exit(2);
  }
}

/** Waits until the machine has little else to do, though not for ever. */
async function quiet(): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while ((await busyShare()) > BUSY && performance.now() < deadline);
}

/** What was measured so far is worth having. */
function failed(name: string, error: unknown): Section {
  console.error(error);
  process.exitCode = 1;
  const text = [`It could not be measured: ${error instanceof Error ? error.message : String(error)}`];
  return { name, title: name, text, figures: [], plots: [] };
}
