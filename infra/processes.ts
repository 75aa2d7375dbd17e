import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { type Child, type Outlets, startChild } from './child.ts';
import { endLeftover } from './leftovers.ts';
import { pidFile, type Recorded } from './pid-file.ts';
import { identify, isAlive } from './process-id.ts';
import type { Command } from './server.ts';

/** The child processes of one folder. */
export type Processes = {
  endLeftovers(): Promise<void>;
  spawn(name: string, command: Command, outlets?: Outlets): Child;
  /** Says whether there was anything to stop: not beside a living supervisor. */
  stopAll(): Promise<boolean>;
};

const SUPERVISOR = 'supervisor';

/**
 * Supervises the child processes of the folder `dir`, whose `pids.json` names them, so that whatever a killed
 * supervisor leaves, the next one ends. `endLeftovers` comes first: it throws when another supervisor is alive.
 * `spawn` throws when the program is not there, and once all is being stopped; `stopAll` ends the children one by one,
 * the last one first.
 */
export function processes(dir: string, say: (line: string) => void): Processes {
  const file = pidFile(dir);
  const children = new Map<Child, Recorded>();
  let isOurs = false;
  let isStopping = false;
  const save = (leftovers: Recorded[] = []): void => {
    isOurs = true;
    file.write([identifySupervisor(), ...leftovers, ...children.values()]);
  };

  return {
    async endLeftovers() {
      const records = file.read();
      refuseSecond(records, dir);
      const leftovers = records.filter(({ name }) => name !== SUPERVISOR);
      save(leftovers);
      for (const leftover of leftovers.toReversed()) {
        if (isAlive(leftover)) say(`ending ${leftover.name} of an earlier run (pid ${leftover.pid})`);
        await endLeftover(leftover);
      }
      save();
    },

    spawn(name, command, outlets) {
      if (isStopping) throw new Error(`${name} is not started: all is being stopped`);
      const child = startChild(name, command, outlets);
      const { stop } = command;
      children.set(child, { name, pid: child.pid, started: startOf(child.pid), ...(stop && { stop }) });
      save();
      void child.exited.then(() => {
        children.delete(child);
        save();
      });
      return child;
    },

    async stopAll() {
      isStopping = true;
      for (const child of [...children.keys()].toReversed()) await child.stop();
      if (isOurs) file.remove();
      return isOurs;
    },
  };
}

/** Gives a TCP port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  return port as number;
}

/**
 * Gives `count` different TCP ports of 127.0.0.1 that nobody listens on: all are held before any is let go. They are
 * below those that outgoing connections get, which could take one before it is listened on; MAYFLY_PORTS (`from-to`)
 * says from where instead.
 */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  while (servers.length < count) {
    const server = await tryToListen(randomPort());
    if (server) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
  return ports;
}

function randomPort(): number {
  const [from = 0, to = 0] = (process.env.MAYFLY_PORTS ?? '12000-31999').split('-').map(Number);
  return randomInt(from, to + 1);
}

async function tryToListen(port: number): Promise<Server | undefined> {
  const server = createServer().listen(port, '127.0.0.1');
  return await once(server, 'listening').then(
    () => server,
    () => undefined,
  );
}

function identifySupervisor(): Recorded {
  return { name: SUPERVISOR, pid: process.pid, started: startOf(process.pid) };
}

/** A process that has ended already has no start: nothing alive is taken for it. */
function startOf(pid: number): string {
  return identify(pid)?.started ?? '';
}

function refuseSecond(records: Recorded[], dir: string): void {
  const other = records.find(({ name, pid }) => name === SUPERVISOR && pid !== process.pid);
  if (other && isAlive(other)) {
    throw new Error(`Mayfly is already running from this folder (${dir}), with process id ${other.pid}`);
  }
}
