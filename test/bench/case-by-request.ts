import { requestText } from '../http-pool.ts';
import {
  ALGORITHMS,
  type Algorithm,
  AUDIENCES,
  type BenchSystem,
  benchSystem,
  startBuilds,
} from './bench-system.ts';
import { cpuSeconds } from './cpu.ts';
import { compared, type Figure, type Plot, percentile, type Section, spread } from './figure.ts';
import { type HttpLoad, httpLoad } from './http-load.ts';
import { rawSignatures } from './openssl.ts';
import { type Peer, startPeer } from './peer.ts';
import type { Plan } from './plan.ts';
import { alternate, warmUp } from './rounds.ts';

type Bench = { plan: Plan; ours: BenchSystem; peer: Peer; load: HttpLoad };
type Round = { perSecond: number; cpuMicros: number };

const CONNECTIONS = 64;
/** So many that none is asked for more tokens than a build may have. */
const BUILDS = 512;
const RATES = [300, 1000];
const PEER = 'oidc-provider';

/** Measures `GET /token` against the peer's client_credentials: capacity, CPU a token, and latency at fixed rates. */
export async function byRequest(plan: Plan): Promise<Section> {
  await using ours = await benchSystem();
  await using peer = await startPeer(ours.redisLogin);
  await using load = await httpLoad();
  const bench = { plan, ours, peer, load };
  const figures: Figure[] = [];
  const plots: Plot[] = [];
  for (const alg of ALGORITHMS) {
    const requests = await tokenRequests(ours, alg);
    figures.push(...(await capacity(alg, requests, bench)));
    for (const rate of RATES) {
      const [figure, plot] = await latency(alg, rate, requests, bench);
      figures.push(...figure);
      plots.push(plot);
    }
  }
  const text = [
    `Capacity with ${load.name}, ${CONNECTIONS} connections, request tokens of ${BUILDS} running builds in turn; the peer gives JWT access tokens (client_credentials) and records each in the same Redis.`,
    'Fixed rates come from a generator in a process of its own; latency counts from when a request was due.',
  ];
  const title = 'Tokens by request';
  return { name: 'by-request', title, text, figures, plots: [bars(figures, title), ...plots] };
}

/** Gives the requests for a token that runners of some builds would send. */
export async function tokenRequests(ours: BenchSystem, alg: Algorithm, at = 'issuer'): Promise<string[]> {
  const audience = AUDIENCES[alg];
  const grants = await startBuilds(ours, `runner-${alg}-${at}`, BUILDS, audience);
  const port = ours.port(at);
  return grants.map(({ data }) => {
    const { search } = new URL(data.id_token_request_url);
    const line = `GET /token${search}&audience=${encodeURIComponent(audience)}`;
    return requestText(port, line, { authorization: `Bearer ${data.id_token_request_token}` });
  });
}

async function capacity(
  alg: Algorithm,
  requests: string[],
  { plan, ours, peer, load }: Bench,
): Promise<Figure[]> {
  const { seconds, rounds } = plan;
  const measure = async (port: number, texts: string[], cpu: () => number): Promise<Round> => {
    const before = cpu();
    const { perSecond } = await load.closed({ port, requests: texts, connections: CONNECTIONS, seconds });
    return {
      perSecond,
      cpuMicros: ((cpu() - before) * 1e6) / (perSecond * Math.max(1, Math.round(seconds))),
    };
  };
  const mine = () => measure(ours.port('issuer'), requests, ours.cpuSeconds);
  const peerCpu = () => cpuSeconds([peer.pid]) + ours.cpuSecondsOf('redis');
  const theirs = () => measure(peer.port, [peer.tokenRequest(alg)], peerCpu);
  await warmUp(plan.warmUps, mine, theirs);
  const got = await alternate(
    rounds,
    async () => ({ ...(await mine()), rawMicros: 1e6 / rawSignatures(alg) }),
    theirs,
  );
  const pairs = (pick: (round: Round) => number) =>
    got.map((one) => ({ ours: pick(one.ours), theirs: pick(one.theirs) }));
  const toRaw = got.map(({ ours: { cpuMicros, rawMicros } }) => ({ ours: cpuMicros, theirs: rawMicros }));
  return [
    compared(
      `${alg}: tokens a second`,
      'tokens/s',
      PEER,
      pairs(({ perSecond }) => perSecond),
      { atLeast: 1.2 },
    ),
    compared(
      `${alg}: CPU a token`,
      'µs',
      PEER,
      pairs(({ cpuMicros }) => cpuMicros),
      { atMost: 1 },
    ),
    compared(`${alg}: CPU a token`, 'µs', 'one raw signature', toRaw, ...rsaOnly(alg, { atMost: 1.7 })),
  ];
}

/** Gives the aim where it is for this algorithm. */
export function rsaOnly<A>(alg: Algorithm, aim: A): [A?] {
  return alg === 'RS256' ? [aim] : [];
}

async function latency(
  alg: Algorithm,
  perSecond: number,
  requests: string[],
  { plan, ours, peer, load }: Bench,
): Promise<[Figure[], Plot]> {
  const { pacedRounds, pacedSeconds: seconds } = plan;
  const common = { perSecond, connections: CONNECTIONS, seconds };
  const mine = () => load.paced({ ...common, port: ours.port('issuer'), requests });
  const theirs = () => load.paced({ ...common, port: peer.port, requests: [peer.tokenRequest(alg)] });
  await mine();
  await theirs();
  const got = await alternate(pacedRounds, mine, theirs);
  const pairs = (part: number) =>
    got.map((one) => ({
      ours: percentile(one.ours.latencies, part),
      theirs: percentile(one.theirs.latencies, part),
    }));
  const failed = got.reduce((sum, one) => sum + one.ours.failed + one.theirs.failed, 0);
  const cpu = spread(got.map(({ ours: { cpuSeconds: used } }) => (used / seconds) * 100)).median;
  const late = percentile(
    got.flatMap(({ ours: { lateness } }) => lateness),
    0.99,
  );
  const note = `generator ${cpu.toFixed(0)} % of a core, late by ${late.toFixed(1)} ms at p99; ${failed} failed`;
  const what = `${alg} at ${perSecond}/s`;
  return [
    [
      compared(`${what}: p50`, 'ms', PEER, pairs(0.5)),
      { ...compared(`${what}: p99`, 'ms', PEER, pairs(0.99), { atMost: 1 }), note },
    ],
    {
      kind: 'latency',
      title: `Tokens by request, ${what}`,
      lines: [
        { name: 'Mayfly', latencies: got.flatMap((one) => one.ours.latencies), isOurs: true },
        { name: PEER, latencies: got.flatMap((one) => one.theirs.latencies), isOurs: false },
      ],
    },
  ];
}

/** Makes a plot of the figures that are rates beside something. */
export function bars(figures: Figure[], title: string): Plot {
  const rates = figures.filter(({ unit, beside }) => unit.endsWith('/s') && beside);
  return {
    kind: 'bars',
    title: `${title}, capacity`,
    unit: rates[0]?.unit ?? '',
    bars: rates.flatMap(({ what, value, beside }) => [
      { name: `${what.replace(/:.*/, '')} Mayfly`, value, isOurs: true },
      ...(beside
        ? [{ name: `${what.replace(/:.*/, '')} ${beside.name}`, value: beside.value, isOurs: false }]
        : []),
    ]),
  };
}
