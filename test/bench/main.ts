import { fileURLToPath } from 'node:url';
import { findServers } from '@mayfly/infra/servers';
import { byEvent } from './case-by-event.ts';
import { byRequest } from './case-by-request.ts';
import { documents } from './case-documents.ts';
import { growth } from './case-growth.ts';
import { introspection } from './case-introspection.ts';
import { profile } from './case-profile.ts';
import { replicas } from './case-replicas.ts';
import { revocation } from './case-revocation.ts';
import { signing, verification } from './case-scripts.ts';
import { sync } from './case-sync.ts';
import type { Section } from './figure.ts';
import { machine } from './machine.ts';
import { type Plan, readPlan } from './plan.ts';
import { missed, writeReport } from './report.ts';

/**
 * Measures Mayfly against floors and a peer, in the same rounds. `npm run bench` takes some minutes; `-- --full` longer,
 * with a million builds; `-- --check` fails where an aim is missed, naming it; `-- --only NAME` runs one case. The report
 * is written to `test/bench/report/` when all cases have run, else to `.cache/bench/`.
 */
const CASES: Record<string, (plan: Plan) => Promise<Section>> = {
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

const plan = readPlan(process.argv.slice(2));
const chosen = Object.entries(CASES).filter(([name]) => plan.only.length === 0 || plan.only.includes(name));
if (chosen.length === 0) throw new Error(`the cases are ${Object.keys(CASES).join(', ')}`);

const path = (to: string) => fileURLToPath(new URL(to, import.meta.url));
const { nats, redis } = await findServers({ cache: path('../../.cache/servers'), say: console.error });
const where = await machine({ nats: nats.version, redis: redis.version });
if (where.busyBefore > 0.1)
  console.error(
    `the machine is busy (${(where.busyBefore * 100).toFixed(0)} %): only ratios will mean anything`,
  );

const sections: Section[] = [];
for (const [name, measure] of chosen) {
  const began = performance.now();
  process.stderr.write(`${name} `);
  sections.push(await measure(plan).catch((error: unknown) => failed(name, error)));
  process.stderr.write(` ${((performance.now() - began) / 1000).toFixed(0)} s\n`);
}
const isWhole = plan.mode !== 'smoke' && plan.only.length === 0;
const folder = path(isWhole ? './report' : '../../.cache/bench');
writeReport(folder, plan, where, sections);
console.log(`the report is in ${folder}`);

const short = missed(sections);
for (const line of short) console.log(`falls short: ${line}`);
if (plan.isCheck && short.length > 0) process.exitCode = 1;

/** What was measured so far is worth having. */
function failed(name: string, error: unknown): Section {
  console.error(error);
  process.exitCode = 1;
  const text = [`It could not be measured: ${error instanceof Error ? error.message : String(error)}`];
  return { name, title: name, text, figures: [], plots: [] };
}
