import { identify, isAlive } from '@mayfly/infra/process-id';
import { getContainerRuntimeClient } from 'testcontainers';

const PID = 'dev.mayfly.test.pid';
const STARTED = 'dev.mayfly.test.started';

/** Gives the labels that say which process a container belongs to. */
export function ourLabels(): Record<string, string> {
  return { [PID]: String(process.pid), [STARTED]: identify(process.pid)?.started ?? '' };
}

/** Removes the containers of test runs that were killed, and their networks. */
export async function removeLeftovers(): Promise<void> {
  const client = await getContainerRuntimeClient();
  const engine = client.container.dockerode;
  const containers = await engine.listContainers({ all: true, filters: { label: [PID] } });
  const left = containers.filter(
    ({ Labels }) => !isAlive({ pid: Number(Labels[PID]), started: Labels[STARTED] ?? '' }),
  );
  const networks = new Set(left.flatMap(({ NetworkSettings }) => Object.keys(NetworkSettings.Networks)));
  for (const { Id } of left) await engine.getContainer(Id).remove({ force: true, v: true });
  for (const name of networks) {
    await engine
      .getNetwork(name)
      .remove()
      .catch(() => undefined);
  }
}
