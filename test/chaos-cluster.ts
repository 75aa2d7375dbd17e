import { STREAMS } from '@mayfly/contracts/bus';
import { freePorts } from '@mayfly/infra/processes';
import { answersOk } from '@mayfly/infra/readiness';
import { SERVICES, type ServiceName } from '@mayfly/infra/service-environment';
import type { Redis } from 'ioredis';
import { type Engine, partTrouble, type Trouble, wayTrouble } from './chaos-faults.ts';
import { connectTo, masterPort, streamLeader } from './cluster.ts';
import { openStreams, type Streams } from './operator.ts';
import type { TcpProxy } from './proxy.ts';
import { proxyThread } from './proxy-thread.ts';
import { pick } from './random.ts';
import { type TestSystem, testSystem } from './system.ts';

const NATS = ['nats-1', 'nats-2', 'nats-3'];
const REDIS = ['redis-1', 'redis-2', 'redis-3'];
const SENTINELS = ['sentinel-1', 'sentinel-2', 'sentinel-3'];
/** Each kind once before any comes again. */
const KINDS = [
  ...['kill master until replaced', 'pause master until replaced', 'cut master until replaced'],
  ...['freeze master until replaced', 'any master', 'any replica', 'any sentinel'],
  ...['kill leader', 'pause leader', 'any nats', 'kill service', 'pause service', 'way', 'way'],
] as const;

type Ways = Record<string, TcpProxy[]>;
type Cluster = {
  system: TestSystem;
  streams: Streams;
  ways: Ways;
  servers: Record<string, Redis>;
  announced: Record<string, number>;
};

/**
 * Three NATS servers with three replicas of each stream, a Redis with two replicas and three Sentinels, and two of each
 * service. Each Redis is behind a proxy, for all: one that is cut off is so from replicas, Sentinels and services.
 */
export async function clusterEngine(stack: AsyncDisposableStack): Promise<Engine> {
  const { ways, ports, announced, environment } = await openWays(stack);
  const system = stack.use(await testSystem({ replicas: 2, ports, environment, cluster: { announced } }));
  const streams = stack.use(await openStreams(system));
  const servers = Object.fromEntries([...REDIS, ...SENTINELS].map((name) => [name, connectTo(system, name)]));
  stack.defer(() => {
    for (const server of Object.values(servers)) server.disconnect();
  });
  const cluster = { system, streams, ways, servers, announced };
  let deck: (typeof KINDS)[number][] = [];
  return {
    system,
    async next(random) {
      if (deck.length === 0) deck = [...KINDS];
      const [kind] = deck.splice(Math.floor(random() * deck.length), 1);
      return await troubleOf(kind as string, cluster, random);
    },
    isWhole: () => isWhole(cluster),
  };
}

async function openWays(stack: AsyncDisposableStack) {
  const thread = stack.use(proxyThread());
  const free = await freePorts(NATS.length + REDIS.length);
  const ports = Object.fromEntries([...NATS, ...REDIS].map((name, index) => [name, free[index] as number]));
  const ways: Ways = {};
  const announced: Record<string, number> = {};
  for (const name of REDIS) {
    const proxy = stack.use(await thread.start(ports[name] as number));
    ways[name] = [proxy];
    announced[name] = proxy.port;
  }
  const environment: Partial<Record<ServiceName, Record<string, string>>> = {};
  for (const service of SERVICES) {
    const proxies: TcpProxy[] = [];
    for (const name of NATS) proxies.push(stack.use(await thread.start(ports[name] as number)));
    ways[`${service} from NATS`] = proxies;
    environment[service] = { NATS_URL: proxies.map(({ port }) => `nats://127.0.0.1:${port}`).join(',') };
  }
  return { ways, ports, announced, environment };
}

async function troubleOf(kind: string, cluster: Cluster, random: () => number): Promise<Trouble> {
  const { system, streams, ways } = cluster;
  const [verb = '', what = ''] = kind.split(' ');
  const master = await masterOf(cluster);
  const how = verb === 'any' ? pick(['kill', 'pause', 'cut', 'freeze'], random) : verb;
  const killOrPause = pick(['kill', 'pause'] as const, random);
  if (what === 'master') {
    const trouble = redisTrouble(how, master, cluster);
    if (verb === 'any') return trouble;
    const isReplaced = async () => (await masterOf(cluster)) !== master;
    return { ...trouble, what: `${trouble.what}, the master, until it was replaced`, hasDone: isReplaced };
  }
  if (what === 'replica')
    return redisTrouble(
      how,
      pick(
        REDIS.filter((name) => name !== master),
        random,
      ),
      cluster,
    );
  if (what === 'sentinel') return partTrouble(system, killOrPause, pick(SENTINELS, random));
  if (what === 'leader') {
    const trouble = partTrouble(system, verb as 'kill' | 'pause', (await streamLeader(streams)) as string);
    return { ...trouble, what: `${trouble.what}, the leader` };
  }
  if (what === 'nats') return partTrouble(system, killOrPause, pick(NATS, random));
  const services = system.names.slice(NATS.length + REDIS.length + SENTINELS.length);
  if (what === 'service') return partTrouble(system, verb as 'kill' | 'pause', pick(services, random));
  const way = `${pick(SERVICES, random)} from NATS`;
  return wayTrouble(pick(['cut', 'freeze'] as const, random), way, ways[way] as TcpProxy[]);
}

function redisTrouble(how: string, name: string, { system, ways }: Cluster): Trouble {
  return how === 'kill' || how === 'pause'
    ? partTrouble(system, how, name)
    : wayTrouble(how as 'cut' | 'freeze', name, ways[name] as TcpProxy[]);
}

const sentinelsOf = (servers: Record<string, Redis>) => SENTINELS.map((name) => servers[name] as Redis);

/** Gives the master; Sentinel knows it by the port of its proxy. */
async function masterOf({ announced, servers }: Cluster): Promise<string> {
  const port = await masterPort(sentinelsOf(servers));
  const master = REDIS.find((name) => announced[name] === port);
  if (!master) throw new Error('the Sentinels do not agree');
  return master;
}

/** Says whether all is there again, so that the next fault is one: every service ready, every replica and Sentinel in step. */
async function isWhole(cluster: Cluster): Promise<boolean> {
  const { system, streams, servers } = cluster;
  const services = system.names.filter((name) => !(name in servers) && !NATS.includes(name));
  const ready = await Promise.all(services.map((name) => answersOk(`${system.opsUrlOf(name)}/readyz`)));
  if (ready.includes(false)) return false;
  for (const stream of [STREAMS.builds, STREAMS.lifecycle]) {
    const { replicas = [] } = (await streams.main.streams.info(stream)).cluster ?? {};
    if (replicas.length < 2 || !replicas.every(({ current, offline }) => current && !offline)) return false;
  }
  const master = await masterOf(cluster);
  const replication = (await servers[master]?.info('replication')) ?? '';
  if ((replication.match(/state=online/g) ?? []).length < 2) return false;
  return (await Promise.all(sentinelsOf(servers).map(knowsAll))).every((one) => one);
}

async function knowsAll(sentinel: Redis): Promise<boolean> {
  const quorum = await sentinel.call('SENTINEL', 'CKQUORUM', 'mayfly');
  const replicas = (await sentinel.call('SENTINEL', 'REPLICAS', 'mayfly')) as string[][];
  const flags = replicas.map((fields) => fields[fields.indexOf('flags') + 1]);
  return String(quorum).startsWith('OK 3 ') && String(flags) === 'slave,slave';
}
