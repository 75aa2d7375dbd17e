import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bootstrap } from '@mayfly/infra/bootstrap';
import type { Child } from '@mayfly/infra/child';
import { natsConfig } from '@mayfly/infra/nats/config';
import { freePorts, processes } from '@mayfly/infra/processes';
import { answersOk } from '@mayfly/infra/readiness';
import { findServers } from '@mayfly/infra/servers';
import { parsePolicy } from '@mayfly/service-kit/policy';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { eventually } from './ci.ts';
import { disposedOnce } from './left-systems.ts';
import { TEST_POLICY } from './system.ts';

/** Three NATS servers in one cluster, with the accounts, streams and buckets of a deployment, three replicas of each. */
export type Cluster = AsyncDisposable & {
  names: readonly string[];
  /** Connects as a user of the deployment, to one of the servers first. */
  connectAs(user: string, server: number): Promise<NatsConnection>;
  pause(name: string): void;
  resume(name: string): void;
};

const NAMES = ['nats-1', 'nats-2', 'nats-3'] as const;
const root = fileURLToPath(new URL('..', import.meta.url));
const password = (user: string) => `password-of-${user}`;

/** Starts a cluster of the test's own; dispose of it (`await using`) and nothing of it is left. */
export async function natsCluster(): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-cluster-'));
  const supervised = processes(dir, () => undefined);
  await supervised.endLeftovers();
  const clients: NatsConnection[] = [];
  const dispose = async () => {
    for (const child of children.values()) process.kill(child.pid, 'SIGCONT');
    await Promise.all(clients.map((client) => client.close()));
    await supervised.stopAll();
    rmSync(dir, { recursive: true, force: true });
  };
  const children = new Map<string, Child>();
  try {
    const servers = await findServers({ cache: join(root, '.cache', 'servers'), say: () => undefined });
    const ports = await freePorts(9);
    const portsOf = (index: number) => ports.slice(index * 3, index * 3 + 3) as [number, number, number];
    const start = (index: number) => {
      const name = NAMES[index] as string;
      const [port, monitor] = portsOf(index);
      const command = servers.nats.command(join(dir, `${name}.conf`), dir, [port, monitor]);
      children.set(name, supervised.spawn(name, command, { logFile: join(dir, `${name}.log`) }));
    };
    const isReady = (index: number) =>
      eventually(() => answersOk(`http://127.0.0.1:${portsOf(index)[1]}/healthz`), 'cluster', 30_000);
    for (const [index, name] of NAMES.entries()) {
      mkdirSync(join(dir, name));
      writeFileSync(join(dir, `${name}.conf`), configOf(index, join(dir, name), portsOf));
      start(index);
    }
    for (const [index] of NAMES.entries()) await isReady(index);
    const urls = NAMES.map((_, index) => `nats://127.0.0.1:${portsOf(index)[0]}`);
    await makeStreams(urls, async () => {
      for (const [index, name] of NAMES.entries()) {
        await children.get(name)?.stop();
        start(index);
        await isReady(index);
      }
    });
    const childOf = (name: string) => children.get(name) as Child;
    return {
      names: NAMES,
      async connectAs(user, server) {
        const first = urls[server % 3] as string;
        const client = await connectTo([first, ...urls], user);
        clients.push(client);
        return client;
      },
      pause: (name) => void process.kill(childOf(name).pid, 'SIGSTOP'),
      resume: (name) => void process.kill(childOf(name).pid, 'SIGCONT'),
      [Symbol.asyncDispose]: disposedOnce(dispose),
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Makes the streams; as `startSystem` does, has servers that do not find together started again: of three one may be left out for good. */
async function makeStreams(servers: string[], restart: () => Promise<void>): Promise<void> {
  const policy = parsePolicy(TEST_POLICY, 'mayfly.yaml');
  const make = () =>
    bootstrap(policy, { servers, password }, 3).then(
      () => true,
      () => false,
    );
  await eventually(make, 'streams', 15_000).catch(async () => {
    await restart();
    await eventually(make, 'streams', 30_000);
  });
}

function configOf(index: number, dir: string, portsOf: (index: number) => [number, number, number]): string {
  const [port, monitor, route] = portsOf(index);
  const where = { listen: `127.0.0.1:${port}`, monitor: `127.0.0.1:${monitor}`, dir };
  const routes = NAMES.map((_, other) => `nats://127.0.0.1:${portsOf(other)[2]}`).join(', ');
  const single = natsConfig(['acme', 'other'], password, where);
  return `${single.replace(/^server_name: .*$/m, `server_name: ${NAMES[index]}`)}
cluster { name: mayfly, listen: "127.0.0.1:${route}", routes: [${routes}] }
`;
}

function connectTo(servers: string[], user: string): Promise<NatsConnection> {
  return connect({
    ...{ servers, user, pass: password(user), inboxPrefix: `_INBOX.${user}` },
    ...{ noRandomize: true, maxReconnectAttempts: -1, reconnectTimeWait: 50, timeout: 2000 },
    ...{ pingInterval: 1000, maxPingOut: 2 },
  });
}
