import { setTimeout as wait } from 'node:timers/promises';
import { containerUser } from '@mayfly/infra/container-places';
import {
  type ContainerRuntimeClient,
  getContainerRuntimeClient,
  ImageName,
  type StartedNetwork,
} from 'testcontainers';
import { ourLabels } from './containers-leftovers.ts';
import type { Plan } from './containers-plan.ts';
import { SealedContainer } from './containers-sealed.ts';

/** One container of a system: started when first asked, then killed, stopped and started as the same container. */
export type Part = {
  start(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<number | null>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  log(): Promise<string>;
  remove(): Promise<void>;
};

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

const READY_DEADLINE_MS = 60_000;
const GRACE_SECONDS = 10;
const KILLED = 137;

/** For how long an engine is asked to do something again: on a machine that is full it cannot always do so at once. */
const ENOUGH_MS = 30_000;
const BETWEEN_TRIES_MS = 200;
const NOT_FOUND = 404;

/** Takes the network and what the container is made from; gives the part, which is not started yet. */
export function partIn(network: StartedNetwork, plan: Plan): Part {
  let container: Container | undefined;
  let creating: Promise<Container> | undefined;
  const there = () => {
    if (!container) throw new Error(`${plan.name} was never started`);
    return container;
  };
  return {
    async start() {
      if (container) await surely(() => startUnlessRunning(there()));
      creating ??= create(network, plan);
      container = await creating;
      await untilReady(container, plan);
    },
    async kill() {
      await there().kill({ signal: 'SIGKILL' });
      await there().wait();
    },
    async stop() {
      await there().stop({ t: GRACE_SECONDS });
      const { State } = await there().inspect();
      return State.ExitCode === KILLED ? null : State.ExitCode;
    },
    pause: () => surely(() => pauseUnlessPaused(there())),
    resume: () => surely(() => resumeIfPaused(there())),
    log: () => logOf(there()),
    async remove() {
      // Where another part could not start, this one may be on its way still.
      const created = await creating?.catch(() => undefined);
      await removed(() => created?.remove({ force: true, v: true }));
    },
  };
}

async function create(network: StartedNetwork, plan: Plan): Promise<Container> {
  const client = await getContainerRuntimeClient();
  await client.image.pull(ImageName.fromString(plan.image)).catch((cause: unknown) => {
    throw new Error(`there is no image ${plan.image} here, and it cannot be pulled`, { cause });
  });
  const { uid, gid } = containerUser();
  const started = await new SealedContainer(plan.image, plan)
    .withUser(`${uid}:${gid}`)
    .withNetwork(network)
    .withNetworkAliases(plan.name)
    .withLabels(ourLabels())
    .withCommand(plan.command)
    .withEnvironment(plan.environment)
    .withBindMounts(plan.mounts)
    .start();
  return client.container.getById(started.getId());
}

async function untilReady(container: Container, { name, isReady }: Plan): Promise<void> {
  const deadline = Date.now() + READY_DEADLINE_MS;
  // A port of a container that does not listen yet is accepted by the engine and closed: an answer may never come.
  while (!(await Promise.race([isReady(), wait(1500, false)]))) {
    const { State } = await container.inspect();
    const end = async () => (await logOf(container)).trimEnd().split('\n').slice(-5).join('\n');
    if (!State.Running) throw new Error(`${name} stopped:\n${await end()}`);
    if (Date.now() > deadline)
      throw new Error(`${name} is not ready after ${READY_DEADLINE_MS / 1000} s:\n${await end()}`);
    await wait(25);
  }
}

/** Without a terminal the engine frames what was written: a byte for the stream, three of zero, four for the length. */
async function logOf(container: Container): Promise<string> {
  const framed = await container.logs({ follow: false, stdout: true, stderr: true });
  const pieces: Buffer[] = [];
  for (let at = 0; at + 8 <= framed.length; ) {
    const end = at + 8 + framed.readUInt32BE(at + 4);
    pieces.push(framed.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** Has an engine remove something; what it removed though it said otherwise is removed. */
export function removed(remove: () => Promise<unknown> | undefined): Promise<void> {
  return surely(async () => {
    try {
      await remove();
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== NOT_FOUND) throw error;
    }
  });
}

/** An engine may have done what it said it could not. */
async function pauseUnlessPaused(container: Container): Promise<void> {
  const { State } = await container.inspect();
  if (!State.Paused) await container.pause();
}

async function resumeIfPaused(container: Container): Promise<void> {
  const { State } = await container.inspect();
  if (State.Paused) await container.unpause();
}

async function startUnlessRunning(container: Container): Promise<void> {
  const { State } = await container.inspect();
  if (!State.Running) await container.start();
}

async function surely(ask: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + ENOUGH_MS;
  for (;;) {
    try {
      return void (await ask());
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await wait(BETWEEN_TRIES_MS);
    }
  }
}
