import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { floods, introspection, timing } from './publisher-cases.ts';
import { describe, median } from './publisher-figures.ts';
import { publisherRig, type Rig } from './publisher-rig.ts';

/**
 * Measures jwks-publisher: key sets a second as a ratio to a bare Fastify route with the same bytes; the latency of
 * introspection at 1,000 a second; honest callers beside a flood; and whether tokens with a good signature can be told
 * apart by the time that their answer takes. `node test/bench/publisher.ts [documents] [introspection] [floods] [timing]
 * [--seconds 5] [--samples 20000]`; `test/publisher-limits.test.ts` holds the last three to their limits.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    samples: { type: 'string', default: '20000' },
  },
});
const SECONDS = Number(values.seconds);
const SAMPLES = Number(values.samples);

const CASES: Record<string, (rig: Rig) => Promise<string[]>> = {
  documents,
  introspection: async (rig) => [`introspection at 1,000/s: ${describe(await introspection(rig, SECONDS))}`],
  async floods(rig) {
    const { honest, keySets, hostile } = await floods(rig, SECONDS);
    const answered = hostile.statuses.map(([status, count]) => `${count} × ${status}`).join(', ');
    return [
      `beside 2,000 hostile/s (${answered})`,
      `honest: ${describe(honest)}`,
      `key set: ${describe(keySets)}`,
    ];
  },
  timing: async (rig) =>
    (await timing(rig, SAMPLES)).map(
      ({ pair, t }) => `${pair}, ${SAMPLES} samples each: t = ${t.toFixed(2)}`,
    ),
};

/** A process with one route that gives the bytes that it was given. */
const BARE = `
import { fastify } from 'fastify';
const bytes = Buffer.concat(await process.stdin.toArray());
const http = fastify();
http.get('/jwks', (_request, reply) => reply.type('application/json').send(bytes));
console.log(await http.listen({ port: 0, host: '127.0.0.1' }));
`;

async function documents({ publisher, ask }: Rig): Promise<string[]> {
  const bytes = Buffer.from(await (await fetch(`${publisher}/acme/jwks`)).arrayBuffer());
  const child = spawn(process.execPath, ['--input-type=module', '-e', BARE], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(bytes);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = `${line.toString().trim()}/jwks`;
  const rounds: [number, number][] = [];
  for (let round = 0; round < 5; round++)
    rounds.push([await rate(ask, `${publisher}/acme/jwks`), await rate(ask, url)]);
  child.kill();
  const [ours, theirs] = [0, 1].map((side) => median(rounds.map((round) => round[side] as number)));
  const ratio = median(rounds.map(([one, other]) => one / other)).toFixed(2);
  return [`key set: ${ours?.toFixed(0)}/s, bare Fastify ${theirs?.toFixed(0)}/s, ratio ${ratio}`];
}

async function rate(ask: Rig['ask'], url: string): Promise<number> {
  let done = 0;
  const until = performance.now() + 1000;
  const work = async () => {
    while (performance.now() < until) {
      await ask({ url });
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: 32 }, work));
  return done;
}

const names = positionals.length > 0 ? positionals : Object.keys(CASES);
const unknown = names.filter((name) => !Object.hasOwn(CASES, name));
if (unknown.length > 0) throw new Error(`the cases are ${Object.keys(CASES).join(', ')}`);
await using rig = await publisherRig();
for (const name of names) for (const line of (await CASES[name]?.(rig)) ?? []) console.log(line);
