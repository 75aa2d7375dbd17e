import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '@mayfly/contracts/policy';
import { ownProfiles, parsePolicy } from '@mayfly/service-kit/policy';
import { bootstrap } from './bootstrap.ts';
import type { Child } from './child.ts';
import { CLUSTER_PORTS, type ClusterOptions, clusterServers } from './cluster.ts';
import type { Deployment } from './deployment.ts';
import { sourceAccount } from './nats/accounts.ts';
import { keepPorts } from './ports.ts';
import type { Processes } from './processes.ts';
import { answersOk, endOfLog } from './readiness.ts';
import type { Command } from './server.ts';
import type { Servers } from './servers.ts';
import { SERVICES, type ServiceName, serviceEnvironment } from './service-environment.ts';
import { SINGLE_PORTS, type SystemServers, singleServers } from './system-servers.ts';

/** What a system is made of, and where. */
export type SystemOptions = {
  /** The project's root: where the services are. */
  root: string;
  /** Where this system keeps its secrets, data, ports and logs. */
  dir: string;
  policyFile: string;
  servers: Servers;
  processes: Processes;
  say(line: string): void;
  /** Once it is aborted nothing more is started. */
  signal?: AbortSignal;
  /** How many of each service; one if left out. */
  replicas?: number;
  /** Three NATS servers, and Redis with replicas behind Sentinel; one of each if left out. */
  cluster?: ClusterOptions | undefined;
  /** Settings beside those of the deployment, by service. */
  environment?: Partial<Record<ServiceName, Record<string, string>>>;
};

/** What a CI system of this deployment is given. */
export type CiCredentials = { servers: string[]; user: string; pass: string; inboxPrefix: string };

/** A whole Mayfly on this machine: its servers, and each service in a process of its own. */
export type System = {
  /** The servers, which come first in `names`. */
  servers: SystemServers;
  baseUrl: string;
  requestUrl: string;
  policy: Policy;
  deployment: Deployment;
  ports: Readonly<Record<string, number>>;
  /** Names of the processes, in the order in which they start. */
  names: readonly string[];
  /** Starts a process, and waits until it is ready. Throws with the end of its log where it is not. */
  start(name: string): Promise<void>;
  /** The process of that name, undefined while it does not run. */
  child(name: string): Child | undefined;
  ciCredentials(source: string): CiCredentials;
};

const READY_DEADLINE_MS = 60_000;
/**
 * Who missed what a NATS server said of itself when it joined a cluster hears it again within half a minute: until then it
 * places no stream there.
 */
const CLUSTER_DEADLINE_MS = 75_000;
/** From when on a cluster in which no stream can be made is taken for one that left a server out, ms: others take some seconds. */
const CLUSTER_STUCK_MS = 15_000;

/** Starts the servers, makes what is in them, then starts the services. Throws what went wrong. */
export async function startSystem(options: SystemOptions): Promise<System> {
  const system = await prepareSystem(options);
  const { names } = system.servers;
  await startServers(system, names, options);
  await Promise.all(system.names.slice(names.length).map((name) => system.start(name)));
  return system;
}

/** Starts servers of a system that is prepared, NATS among them, and makes what is in NATS. Throws what went wrong. */
export async function startServers(
  system: System,
  names: readonly string[],
  options: Pick<SystemOptions, 'say' | 'signal'>,
): Promise<void> {
  await Promise.all(names.map((name) => system.start(name)));
  options.signal?.throwIfAborted();
  await bootstrapSystem(system, () => restartNats(system, options));
  options.say('streams, consumers and buckets are there');
}

/**
 * Makes the streams, consumers and buckets of a system whose NATS runs; a cluster that has no leader yet is asked again, and
 * one that gets no further is mended once.
 */
export async function bootstrapSystem(
  { policy, deployment, servers }: System,
  mend: () => Promise<void> = async () => undefined,
): Promise<void> {
  const { natsUrls, replicas } = servers;
  const login = { servers: natsUrls, password: (user: string) => deployment.secret(`nats-${user}`) };
  const began = Date.now();
  let deadline = began + (replicas > 1 ? CLUSTER_DEADLINE_MS : 0);
  for (let isMended = false; ; ) {
    try {
      return await bootstrap(policy, login, replicas);
    } catch (error) {
      if (Date.now() > deadline) throw error;
      if (!isMended && Date.now() - began > CLUSTER_STUCK_MS) {
        isMended = true;
        await mend();
        deadline = Date.now() + CLUSTER_DEADLINE_MS;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

/**
 * Starts the NATS servers again, one after another. Of three that start at once two may elect a leader while the third
 * connects, and never take it in (seen on 2.10.27: a group of two leads JetStream): then no stream of three replicas can be made.
 */
async function restartNats(
  { servers, child, start }: System,
  { say, signal }: Pick<SystemOptions, 'say' | 'signal'>,
): Promise<void> {
  say('the NATS servers do not find together: they are started again, one after another …');
  for (const name of servers.names.filter((one) => one.startsWith('nats'))) {
    signal?.throwIfAborted();
    await child(name)?.stop();
    await start(name);
  }
}

/** Makes everything that a system needs before anything is started. Throws a TypeError for a policy that cannot work. */
export async function prepareSystem(options: SystemOptions): Promise<System> {
  const { dir, policyFile, replicas = 1, cluster } = options;
  for (const folder of ['', 'logs']) {
    mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 });
  }
  const policy = parsePolicy(readFileSync(policyFile, 'utf8'), policyFile);
  const services = SERVICES.flatMap((service) =>
    Array.from({ length: replicas }, (_, index) => (index === 0 ? service : `${service}-${index + 1}`)),
  );
  const ports = await keepPorts(join(dir, 'ports.json'), [
    ...(cluster ? CLUSTER_PORTS : SINGLE_PORTS),
    ...services,
    ...services.map((name) => `ops-${name}`),
  ]);
  const made = { dir, policy, servers: options.servers, ports };
  const servers = cluster ? clusterServers(made, cluster) : singleServers(made);
  const { deployment, natsUrls } = servers;
  const baseUrl = policy.base_url ?? `http://localhost:${ports['jwks-publisher']}`;
  const requestUrl = policy.request_url ?? policy.base_url ?? `http://localhost:${ports['issuer']}`;
  const parts = { servers, baseUrl, requestUrl, policy, deployment, ports };
  const children = new Map<string, Child>();
  return {
    ...parts,
    names: [...servers.names, ...services],
    child: (name) => children.get(name),
    start: (name) => startPart(name, commandOf(name, options, parts), children, options, parts),
    ciCredentials(source) {
      const user = sourceAccount(source);
      const pass = deployment.secret(`nats-${user}`);
      return { servers: natsUrls, user, pass, inboxPrefix: `_INBOX.${user}` };
    },
  };
}

type Parts = Pick<System, 'servers' | 'policy' | 'baseUrl' | 'requestUrl' | 'deployment' | 'ports'>;

function commandOf(
  name: string,
  options: SystemOptions,
  { servers, policy, deployment, ports, baseUrl, requestUrl }: Parts,
): Command {
  if (servers.names.includes(name)) return servers.command(name);
  const { dir, root, policyFile } = options;
  const { natsUrls, redisUrl, sentinelName } = servers;
  const port = (of: string) => ports[of] as number;
  const service = name.replace(/-\d+$/, '') as ServiceName;
  const env = serviceEnvironment(service, {
    ...{ policyFile, baseUrl, requestUrl, secretFile: deployment.secretFile },
    ...{ natsUrl: natsUrls.join(','), redisUrl, sentinelName },
    profilesDir: ownProfiles(policyFile, policy),
    host: '127.0.0.1',
    port: port(name),
    opsHost: '127.0.0.1',
    opsPort: port(`ops-${name}`),
    cacheDir: join(dir, 'cache', name),
  });
  const main = join(root, 'services', service, 'src', 'main.ts');
  return { file: process.execPath, args: [main], env: { ...env, ...options.environment?.[service] } };
}

async function startPart(
  name: string,
  command: Command,
  children: Map<string, Child>,
  { dir, processes, signal }: SystemOptions,
  parts: Parts,
): Promise<void> {
  signal?.throwIfAborted();
  const logFile = join(dir, 'logs', `${name}.log`);
  const child = processes.spawn(name, command, { logFile });
  children.set(name, child);
  let hasEnded = false;
  void child.exited.then(() => {
    hasEnded = true;
    if (children.get(name) === child) children.delete(name);
  });
  const deadline = Date.now() + READY_DEADLINE_MS;
  while (!(await isReady(name, parts))) {
    signal?.throwIfAborted();
    if (hasEnded) throw new Error(`${name} stopped:\n${endOfLog(logFile)}`);
    if (Date.now() > deadline)
      throw new Error(`${name} is not ready after ${READY_DEADLINE_MS / 1000} s:\n${endOfLog(logFile)}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function isReady(name: string, { servers, ports }: Parts): Promise<boolean> {
  if (servers.names.includes(name)) return servers.isReady(name);
  return answersOk(`http://127.0.0.1:${ports[`ops-${name}`]}/readyz`);
}
