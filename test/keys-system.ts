import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processes } from '@mayfly/infra/processes';
import { findServers } from '@mayfly/infra/servers';
import { bootstrapSystem, prepareSystem } from '@mayfly/infra/system';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { disposedOnce } from './left-systems.ts';
import { TEST_POLICY } from './system.ts';

/** NATS and some key managers, and nothing else: what a test of keys needs. */
export type KeysSystem = AsyncDisposable & {
  dir: string;
  natsUrl: string;
  baseUrl: string;
  /** Names of the key managers: `key-manager`, `key-manager-2`, … */
  replicas: readonly string[];
  /** Process id of a part. */
  pid(name: string): number;
  /** Starts a part again, and waits until it is ready. */
  start(name: string): Promise<void>;
  kill(name: string): Promise<void>;
  pause(name: string): void;
  resume(name: string): void;
  log(name: string): string;
  secret(name: string): string;
  /** Connects to NATS as a user of the deployment. */
  connectAs(user: string): Promise<NatsConnection>;
};

type Wanted = { policy?: string; replicas?: number; environment?: Record<string, string> };

const root = fileURLToPath(new URL('..', import.meta.url));
const quiet = () => undefined;

/** Starts NATS and key managers of the test's own; dispose of it (`await using`) and nothing of it is left. */
export async function keysSystem(wanted: Wanted = {}): Promise<KeysSystem> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-keys-'));
  const policyFile = join(dir, 'mayfly.yaml');
  writeFileSync(policyFile, wanted.policy ?? TEST_POLICY);
  const supervised = processes(dir, quiet);
  await supervised.endLeftovers();
  const clients: NatsConnection[] = [];
  const dispose = async () => {
    await Promise.all(clients.map((client) => client.close()));
    await supervised.stopAll();
    rmSync(dir, { recursive: true, force: true });
  };
  try {
    const servers = await findServers({ cache: join(root, '.cache', 'servers'), say: quiet });
    const system = await prepareSystem({
      ...{ root, dir, policyFile, servers, processes: supervised, say: quiet },
      replicas: wanted.replicas ?? 1,
      environment: { 'key-manager': wanted.environment ?? {} },
    });
    const replicas = system.names.filter((name) => name.startsWith('key-manager'));
    await system.start('nats');
    await bootstrapSystem(system);
    await Promise.all(replicas.map((name) => system.start(name)));
    const natsUrl = `nats://127.0.0.1:${system.ports['nats']}`;
    const { deployment, baseUrl } = system;
    const childOf = (name: string) => {
      const child = system.child(name);
      if (!child) throw new Error(`${name} does not run`);
      return child;
    };
    return {
      ...{ dir, natsUrl, baseUrl, replicas },
      secret: deployment.secret,
      pid: (name) => childOf(name).pid,
      start: (name) => system.start(name),
      async kill(name) {
        const child = childOf(name);
        process.kill(child.pid, 'SIGKILL');
        await child.exited;
      },
      pause: (name) => void process.kill(childOf(name).pid, 'SIGSTOP'),
      resume: (name) => void process.kill(childOf(name).pid, 'SIGCONT'),
      log: (name) => readFileSync(join(dir, 'logs', `${name}.log`), 'utf8'),
      async connectAs(user) {
        const client = await connectTo(natsUrl, user, deployment.secret(`nats-${user}`));
        clients.push(client);
        return client;
      },
      [Symbol.asyncDispose]: disposedOnce(dispose),
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

function connectTo(natsUrl: string, user: string, pass: string): Promise<NatsConnection> {
  return connect({ servers: [natsUrl], user, pass, inboxPrefix: `_INBOX.${user}`, maxReconnectAttempts: -1 });
}
