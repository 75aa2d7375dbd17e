import { byEvent } from './case-by-event.ts';
import { byRequest } from './case-by-request.ts';
import type { Section } from './figure.ts';
import { type Plan, readPlan } from './plan.ts';

const plan: Plan = readPlan(process.argv.slice(2));
const cases: Record<string, (plan: Plan) => Promise<Section>> = {
  'by-request': byRequest,
  'by-event': byEvent,
};
for (const [name, run] of Object.entries(cases)) {
  if (plan.only.length > 0 && !plan.only.includes(name)) continue;
  const s = await run(plan);
  console.log(JSON.stringify({ ...s, plots: s.plots.length }, undefined, 1));
}
