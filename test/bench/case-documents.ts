import { requestText } from '../http-pool.ts';
import { type BenchSystem, benchSystem } from './bench-system.ts';
import { bars } from './case-by-request.ts';
import { compared, type Figure, type Section } from './figure.ts';
import { type HttpLoad, httpLoad } from './http-load.ts';
import type { Plan } from './plan.ts';
import { startProgram } from './program.ts';
import { alternate, warmUp } from './rounds.ts';

const CONNECTIONS = 64;
const DOCUMENTS = { 'key set': '/acme/jwks', discovery: '/acme/.well-known/openid-configuration' };

/** Measures key sets and discovery a second against a bare Fastify route that gives the same bytes. */
export async function documents(plan: Plan): Promise<Section> {
  await using ours = await benchSystem();
  await using load = await httpLoad();
  const figures: Figure[] = [];
  for (const [what, path] of Object.entries(DOCUMENTS))
    figures.push(await compare(what, path, plan, ours, load));
  const text = [`${CONNECTIONS} connections, ${load.name}; the bare route sends the same body from memory.`];
  const title = 'Key set and discovery';
  return { name: 'documents', title, text, figures, plots: [bars(figures, title)] };
}

async function compare(
  what: string,
  path: string,
  { warmUps, rounds, seconds }: Plan,
  { system, port }: BenchSystem,
  load: HttpLoad,
): Promise<Figure> {
  const response = await fetch(`${system.urlOf('jwks-publisher')}${path}`);
  const type = response.headers.get('content-type') ?? '';
  await using bare = startProgram('./program-bare-route.ts');
  const { port: barePort } = await bare.ask<{ port: number }>({ text: await response.text(), type });
  const measure = (at: number, target: string) =>
    load.closed({
      port: at,
      requests: [requestText(at, `GET ${target}`)],
      connections: CONNECTIONS,
      seconds,
    });
  const mine = () => measure(port('jwks-publisher'), path);
  const theirs = () => measure(barePort, '/');
  await warmUp(warmUps, mine, theirs);
  const got = await alternate(rounds, mine, theirs);
  const pairs = got.map((one) => ({ ours: one.ours.perSecond, theirs: one.theirs.perSecond }));
  const figure = compared(`${what}: a second`, 'answers/s', 'bare Fastify route', pairs, { atLeast: 0.8 });
  const used = got.map((one) => (one.ours.cpuSeconds / Math.max(1, Math.round(seconds))) * 100);
  return { ...figure, note: `generator ${Math.max(...used).toFixed(0)} % of a core` };
}
