import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { connectCi } from '../ci.ts';
import { API, basic, forgedToken, startedToken } from '../introspect-callers.ts';
import { requestToken } from '../relying-party.ts';
import { testSystem } from '../system.ts';
import { describe, median, paced, trimmed, welch } from './publisher-figures.ts';

/**
 * Measures jwks-publisher: key sets a second as a ratio to a bare Fastify route with the same bytes; the latency of
 * introspection at 1,000 a second; and whether tokens with a good signature can be told apart by the time that their
 * answer takes. Run it with `node test/bench/publisher.ts [seconds] [samples]`.
 */
const [SECONDS = 5, SAMPLES = 20_000] = process.argv.slice(2).map(Number);

await using system = await testSystem();
await using ci = await connectCi(system);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const publisher = system.urlOf('jwks-publisher');

type Ask = {
  url: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  localAddress?: string;
};

function ask({
  url,
  method = 'GET',
  headers = {},
  body,
  localAddress,
}: Ask): Promise<{ status: number; ms: number }> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const asking = request(
      url,
      { agent, method, headers, ...(localAddress ? { localAddress } : {}) },
      (response) => {
        response.resume();
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, ms: performance.now() - started }),
        );
      },
    );
    asking.on('error', reject);
    asking.end(body);
  });
}

function question(token: string, party = 'api'): Ask {
  return {
    url: `${publisher}/acme/introspect`,
    method: 'POST',
    headers: { authorization: basic(system, party), 'content-type': 'application/x-www-form-urlencoded' },
    body: `token=${token}`,
  };
}

/** A process with one route that gives the bytes that it was given. */
const BARE = `
import { fastify } from 'fastify';
const bytes = Buffer.concat(await process.stdin.toArray());
const http = fastify();
http.get('/jwks', (_request, reply) => reply.type('application/json').send(bytes));
console.log(await http.listen({ port: 0, host: '127.0.0.1' }));
`;

async function documents(): Promise<void> {
  const bytes = Buffer.from(await (await fetch(`${publisher}/acme/jwks`)).arrayBuffer());
  const child = spawn(process.execPath, ['--input-type=module', '-e', BARE], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(bytes);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const url = `${line.toString().trim()}/jwks`;
  const rounds: [number, number][] = [];
  for (let round = 0; round < 5; round++)
    rounds.push([await rate(`${publisher}/acme/jwks`), await rate(url)]);
  child.kill();
  const ratio = median(rounds.map(([ours, theirs]) => ours / theirs));
  console.log(
    `key set: ${median(rounds.map(([ours]) => ours)).toFixed(0)}/s, bare Fastify ${median(rounds.map(([, theirs]) => theirs)).toFixed(0)}/s, ratio ${ratio.toFixed(2)}`,
  );
}

async function rate(url: string): Promise<number> {
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

async function introspection(): Promise<void> {
  const tokens = await liveTokens('load', 100);
  const latencies = await paced(1000, SECONDS, (index) => ask(question(tokens[index % tokens.length] ?? '')));
  console.log(`introspection at 1,000/s: ${describe(latencies)}`);
}

async function floods(): Promise<void> {
  const [token = ''] = await liveTokens('honest', 1);
  const forged = await forgedToken('no-such-key', `${system.baseUrl}/acme`);
  const hostile = paced(2000, SECONDS, (index) => {
    const localAddress = `127.0.9.${1 + (index % 200)}`;
    const shot = question(forged);
    const authorization = 'Basic YXBpOmd1ZXNz';
    return ask({
      ...shot,
      localAddress,
      headers: { ...shot.headers, ...(index % 2 === 0 ? { authorization } : {}) },
    });
  });
  const honest = paced(100, SECONDS, () => ask(question(token)));
  const keySets = paced(20, SECONDS, () => ask({ url: `${publisher}/acme/jwks` }));
  await hostile;
  console.log(`beside 2,000 hostile/s: honest ${describe(await honest)}; key set ${describe(await keySets)}`);
}

/** Welch's t between each two kinds of tokens that have a good signature and are not active. */
async function timing(): Promise<void> {
  const [finished = ''] = await liveTokens('over', 1);
  await ci.finish('over-0');
  const [running = ''] = await liveTokens('runs', 1);
  const expiring = await requestToken(system, await ci.heard('runs-0'), `audience=${API}&lifetime=10`);
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  const expired = expiring.body['value'] as string;
  const kinds = {
    finished: question(finished),
    foreign: question(running, 'aws'),
    expired: question(expired),
  };
  const samples: Record<string, number[]> = { finished: [], foreign: [], expired: [] };
  for (let index = 0; index < SAMPLES; index++) {
    for (const [kind, shot] of Object.entries(kinds)) samples[kind]?.push((await ask(shot)).ms);
  }
  for (const [one, other] of [
    ['finished', 'foreign'],
    ['finished', 'expired'],
    ['foreign', 'expired'],
  ] as const) {
    const t = welch(trimmed(samples[one] ?? []), trimmed(samples[other] ?? []));
    console.log(`${one} against ${other}, ${SAMPLES} samples each: t = ${t.toFixed(2)}`);
  }
}

async function liveTokens(name: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${name}-${index}`);
  return await Promise.all(ids.map((id) => startedToken(ci, { id })));
}

await documents();
await introspection();
await floods();
await timing();
agent.destroy();
