import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processes } from '@mayfly/infra/processes';
import { findServers } from '@mayfly/infra/servers';
import { prepareSystem, type System, startServers } from '@mayfly/infra/system';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { disposedOnce } from './left-systems.ts';
import { TEST_POLICY } from './system.ts';

/** Three NATS servers in one cluster, with the accounts, streams and buckets of a deployment, three replicas of each. */
export type Cluster = AsyncDisposable & {
  names: readonly string[];
  /** What was said while it started. */
  said: readonly string[];
  /** Connects as a user of the deployment, to one of the servers first. */
  connectAs(user: string, server: number): Promise<NatsConnection>;
  pause(name: string): void;
  resume(name: string): void;
};

const root = fileURLToPath(new URL('..', import.meta.url));

/** Starts a cluster of the test's own, which may change it before; dispose of it (`await using`) and nothing of it is left. */
export async function natsCluster(change: (system: System) => void = () => undefined): Promise<Cluster> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-cluster-'));
  const policyFile = join(dir, 'mayfly.yaml');
  writeFileSync(policyFile, TEST_POLICY);
  const said: string[] = [];
  const say = (line: string) => void said.push(line);
  const supervised = processes(dir, say);
  await supervised.endLeftovers();
  const clients: NatsConnection[] = [];
  const paused = new Set<number>();
  const dispose = async () => {
    for (const pid of paused) process.kill(pid, 'SIGCONT');
    await Promise.all(clients.map((client) => client.close()));
    await supervised.stopAll();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const servers = await findServers({ cache: join(root, '.cache', 'servers'), say });
    const options = { ...{ root, dir, policyFile, servers, say }, processes: supervised, cluster: {} };
    const system = await prepareSystem(options);
    const { natsUrls } = system.servers;
    const names = system.servers.names.filter((name) => name.startsWith('nats'));
    change(system);
    await startServers(system, names, options);
    const pidOf = (name: string) => system.child(name)?.pid as number;
    return {
      ...{ names, said },
      async connectAs(user, server) {
        const first = natsUrls[server % 3] as string;
        const client = await connectTo([first, ...natsUrls], user, system.deployment.secret(`nats-${user}`));
        clients.push(client);
        return client;
      },
      pause(name) {
        paused.add(pidOf(name));
        process.kill(pidOf(name), 'SIGSTOP');
      },
      resume(name) {
        process.kill(pidOf(name), 'SIGCONT');
        paused.delete(pidOf(name));
      },
      [Symbol.asyncDispose]: disposedOnce(dispose),
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function connectTo(servers: string[], user: string, pass: string): Promise<NatsConnection> {
  return connect({
    ...{ servers, user, pass, inboxPrefix: `_INBOX.${user}` },
    ...{ noRandomize: true, maxReconnectAttempts: -1, reconnectTimeWait: 50, timeout: 2000 },
    ...{ pingInterval: 1000, maxPingOut: 2 },
  });
}
