import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterOptions } from '@mayfly/infra/cluster';
import { processes } from '@mayfly/infra/processes';
import { fetchNats, findServers } from '@mayfly/infra/servers';
import type { ServiceName } from '@mayfly/infra/service-environment';
import { bootstrapSystem, type CiCredentials, type System, startSystem } from '@mayfly/infra/system';
import { startContainers } from './containers.ts';
import { disposedOnce } from './left-systems.ts';

/** What a test asks for. */
export type Wanted = {
  /** Text of mayfly.yaml; that of two sources and two relying parties if left out. */
  policy?: string;
  /** How many of each service; what MAYFLY_TEST_REPLICAS says if left out, else one. */
  replicas?: number;
  /** Which nats-server; the one that `npm start` would take if left out. */
  nats?: '2.10' | '2.15';
  environment?: Partial<Record<ServiceName, Record<string, string>>>;
  /** Ports that are chosen already, by name. */
  ports?: Record<string, number>;
  /** Three NATS servers, and a Redis with replicas and Sentinels, as processes here; one of each if left out. */
  cluster?: ClusterOptions;
};

/** A whole Mayfly of a test's own, on free ports: processes here, or containers. */
export type TestSystem = AsyncDisposable & {
  engine: 'processes' | 'containers';
  baseUrl: string;
  requestUrl: string;
  /** The first NATS server. */
  natsUrl: string;
  /** Where that server says how it is. */
  natsMonitorUrl: string;
  /** Redis, or the first Sentinel. */
  redisUrl: string;
  /** The address of each server of a kind. */
  urlsOf(kind: 'nats' | 'redis' | 'sentinel'): string[];
  /** `nats`, `redis` (of a cluster `nats-1`, …), then each process of a service: `issuer`, `issuer-2`, … */
  names: readonly string[];
  /** Public address of each process of a service, reached from here. */
  urlOf(name: string): string;
  opsUrlOf(name: string): string;
  /** Ends a part at once, as `kill -9` does. */
  kill(name: string): Promise<void>;
  /** Ends a part as an operator does, with SIGTERM; gives its exit code. */
  stop(name: string): Promise<number | null>;
  /** Starts a part again, and waits until it is ready. */
  start(name: string): Promise<void>;
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /** Everything that a part has logged. */
  log(name: string): Promise<string>;
  secret(name: string): string;
  secretFile(name: string): string;
  ciCredentials(source: string): CiCredentials;
  /** Makes the streams, consumers and buckets again, where they were lost. */
  bootstrap(): Promise<void>;
};

export const TEST_POLICY = `
sources:
  acme:
    audiences: [https://api.example.com, sts.amazonaws.com]
    lifetime: 5m
    max_lifetime: 15m
    build_timeout: 1h
    algorithms: { https://api.example.com: ES256 }
  other:
    audiences: [https://api.example.com]
relying_parties:
  api: { audiences: [https://api.example.com] }
  aws: { audiences: [sts.amazonaws.com] }
`;

const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts a system of the test's own; dispose of it (`await using`) and nothing of it is left. */
export async function testSystem(wanted: Wanted = {}): Promise<TestSystem> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-test-'));
  const policyFile = join(dir, 'mayfly.yaml');
  writeFileSync(policyFile, wanted.policy ?? TEST_POLICY);
  const replicas = wanted.replicas ?? Number(process.env['MAYFLY_TEST_REPLICAS'] ?? 1);
  const isContainers = process.env['MAYFLY_TEST_ENGINE'] === 'containers' && !wanted.cluster;
  const start = isContainers ? startContainers : startProcesses;
  try {
    return await start({ ...wanted, dir, policyFile, replicas, root });
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** What an engine is given. */
export type EngineOptions = Wanted & { dir: string; policyFile: string; replicas: number; root: string };

/** Which suite of Debian has which nats-server, whatever is on PATH. */
const SUITES = { '2.10': 'trixie', '2.15': 'forky' } as const;

async function startProcesses(options: EngineOptions): Promise<TestSystem> {
  const { dir, policyFile, replicas, nats, environment = {}, cluster } = options;
  const quiet = () => undefined;
  const cache = join(root, '.cache', 'servers');
  const found = await findServers({ cache, say: quiet });
  const servers = nats ? { ...found, nats: await fetchNats(SUITES[nats], cache, quiet) } : found;
  if (options.ports) writeFileSync(join(dir, 'ports.json'), JSON.stringify(options.ports));
  const supervised = processes(dir, quiet);
  await supervised.endLeftovers();
  const dispose = async () => {
    await supervised.stopAll();
    rmSync(dir, { recursive: true, force: true });
  };
  const system = await startSystem({
    root,
    dir,
    policyFile,
    servers,
    processes: supervised,
    say: quiet,
    replicas,
    environment,
    cluster,
  }).catch(async (error: unknown) => {
    await dispose();
    throw error;
  });
  return testSystemOf(system, dir, dispose, environment);
}

/** Takes a system of processes, its folder, and what disposes of it; gives it as tests drive it. */
function testSystemOf(
  system: System,
  dir: string,
  dispose: () => Promise<void>,
  environment: NonNullable<Wanted['environment']>,
): TestSystem {
  const childOf = (name: string) => {
    const child = system.child(name);
    if (!child) throw new Error(`${name} does not run`);
    return child;
  };
  const { ports, deployment, baseUrl, requestUrl, names, ciCredentials } = system;
  const urlsOf = (kind: string) =>
    system.servers.names
      .filter((name) => name.startsWith(kind))
      .map((name) => `${kind === 'nats' ? 'nats' : 'redis'}://127.0.0.1:${ports[name]}`);
  return {
    engine: 'processes',
    ...{ baseUrl, requestUrl, names, ciCredentials, urlsOf },
    ...{ secret: deployment.secret, secretFile: deployment.secretFile },
    natsUrl: urlsOf('nats')[0] as string,
    natsMonitorUrl: `http://127.0.0.1:${ports[`${system.servers.names[0]}-monitor`]}`,
    redisUrl: system.servers.redisUrl.split(',')[0] as string,
    urlOf: (name) => `${schemeOf(name, environment)}://127.0.0.1:${ports[name]}`,
    opsUrlOf: (name) => `http://127.0.0.1:${ports[`ops-${name}`]}`,
    async kill(name) {
      const child = childOf(name);
      process.kill(child.pid, 'SIGKILL');
      await child.exited;
    },
    async stop(name) {
      const child = childOf(name);
      await child.stop();
      return (await child.exited).code;
    },
    start: (name) => system.start(name),
    pause: async (name) => void process.kill(childOf(name).pid, 'SIGSTOP'),
    resume: async (name) => void process.kill(childOf(name).pid, 'SIGCONT'),
    log: async (name) => readFileSync(join(dir, 'logs', `${name}.log`), 'utf8'),
    bootstrap: () => bootstrapSystem(system),
    [Symbol.asyncDispose]: disposedOnce(dispose),
  };
}

function schemeOf(name: string, environment: NonNullable<Wanted['environment']>): 'http' | 'https' {
  const settings = Object.entries(environment).find(([service]) => name.replace(/-\d+$/, '') === service);
  return settings?.[1]['TLS_CERT_FILE'] === undefined ? 'http' : 'https';
}
