import { httpPool } from '../http-pool.ts';
import {
  ALGORITHMS,
  type Algorithm,
  AUDIENCES,
  type BenchSystem,
  benchSystem,
  startBuilds,
} from './bench-system.ts';
import { bars } from './case-by-request.ts';
import { cpuSeconds } from './cpu.ts';
import { compared, type Figure, type Section } from './figure.ts';
import { type HttpLoad, httpLoad } from './http-load.ts';
import { introspectionRequest } from './introspection-requests.ts';
import { type Peer, startPeer } from './peer.ts';
import type { Plan } from './plan.ts';
import { alternate, warmUp } from './rounds.ts';

const CONNECTIONS = 64;
const TOKENS = 500;
const PEER = 'oidc-provider';

/** How many tokens are asked about for the first time. */
const FIRST = 2000;

/** Measures introspection of different active tokens in turn, against the peer's of opaque tokens in the same Redis. */
export async function introspection(plan: Plan): Promise<Section> {
  await using ours = await benchSystem();
  await using peer = await startPeer(ours.redisLogin);
  await using load = await httpLoad();
  const figures: Figure[] = [];
  for (const alg of ALGORITHMS) figures.push(...(await compare(alg, plan, ours, peer, load)));
  const text = [
    `${TOKENS} different active tokens in turn, ${CONNECTIONS} connections, ${load.name}. Ours checks times, audience and build each time, and the signature where it has not seen these very bytes under the same keys; the peer looks up an opaque token. First questions are about ${FIRST} tokens that nobody has asked about, once each, from the benchmark's own process.`,
  ];
  const title = 'Introspection';
  return { name: 'introspection', title, text, figures, plots: [bars(figures, title)] };
}

async function compare(
  alg: Algorithm,
  { warmUps, rounds, seconds }: Plan,
  ours: BenchSystem,
  peer: Peer,
  load: HttpLoad,
): Promise<Figure[]> {
  const grants = await startBuilds(ours, `asked-${alg}`, TOKENS, AUDIENCES[alg]);
  const mineRequests = grants.map(({ data }) =>
    introspectionRequest(ours, alg, data.id_tokens['API_TOKEN'] as string),
  );
  const theirRequests = (await opaqueTokens(peer, TOKENS)).map((token) => peer.introspectionRequest(token));
  await assertActive(ours.port('jwks-publisher'), mineRequests[0] as string);
  await assertActive(peer.port, theirRequests[0] as string);
  const measure = async (port: number, requests: string[], cpu: () => number) => {
    const before = cpu();
    const result = await load.closed({ port, requests, connections: CONNECTIONS, seconds });
    const count = result.perSecond * Math.max(1, Math.round(seconds));
    return { perSecond: result.perSecond, cpuMicros: ((cpu() - before) * 1e6) / count };
  };
  const mine = () => measure(ours.port('jwks-publisher'), mineRequests, ours.cpuSeconds);
  const peerCpu = () => cpuSeconds([peer.pid]) + ours.cpuSecondsOf('redis');
  const theirs = () => measure(peer.port, theirRequests, peerCpu);
  await warmUp(warmUps, mine, theirs);
  const got = await alternate(rounds, mine, theirs);
  const first = await firstQuestions(alg, ours, peer);
  const pairs = (pick: (round: { perSecond: number; cpuMicros: number }) => number) =>
    got.map((one) => ({ ours: pick(one.ours), theirs: pick(one.theirs) }));
  return [
    compared(
      `${alg}: questions a second`,
      'questions/s',
      PEER,
      pairs(({ perSecond }) => perSecond),
      { atLeast: 1.5 },
    ),
    compared(
      `${alg}: CPU a question`,
      'µs',
      PEER,
      pairs(({ cpuMicros }) => cpuMicros),
    ),
    compared(`${alg}: CPU a first question`, 'µs', PEER, [first]),
  ];
}

/** Gives the CPU time of a question about a token that was never asked about, µs. */
async function firstQuestions(alg: Algorithm, ours: BenchSystem, peer: Peer) {
  const grants = await startBuilds(ours, `first-${alg}`, FIRST, AUDIENCES[alg]);
  const tokens = grants.map(({ data }) => data.id_tokens['API_TOKEN'] as string);
  const askAll = async (port: number, requests: string[], cpu: () => number) => {
    const pool = httpPool(port, CONNECTIONS);
    const before = cpu();
    const answers = await Promise.all(requests.map((request) => pool.send(request)));
    pool.close();
    if (!answers.every(({ body }) => /"active":true/.test(body))) throw new Error('a token is not active');
    return ((cpu() - before) * 1e6) / requests.length;
  };
  const mine = tokens.map((token) => introspectionRequest(ours, alg, token));
  const their = (await opaqueTokens(peer, FIRST)).map((token) => peer.introspectionRequest(token));
  return {
    ours: await askAll(ours.port('jwks-publisher'), mine, ours.cpuSeconds),
    theirs: await askAll(peer.port, their, () => cpuSeconds([peer.pid]) + ours.cpuSecondsOf('redis')),
  };
}

async function opaqueTokens(peer: Peer, count: number): Promise<string[]> {
  const pool = httpPool(peer.port, 16);
  const answers = await Promise.all(
    Array.from({ length: count }, () => pool.send(peer.tokenRequest('opaque'))),
  );
  pool.close();
  return answers.map(({ body }) => (JSON.parse(body) as { access_token: string }).access_token);
}

async function assertActive(port: number, request: string): Promise<void> {
  const pool = httpPool(port, 1);
  const { status, body } = await pool.send(request);
  pool.close();
  if (status !== 200 || !/"active":true/.test(body)) throw new Error(`introspection answered ${status}`);
}
