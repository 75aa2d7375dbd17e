import { GenericContainer, type WaitStrategy } from 'testcontainers';
import type { Plan } from './containers-plan.ts';

/**
 * A container that can write nowhere but on its volumes and can gain no rights, with ports on 127.0.0.1 alone.
 * A class because testcontainers leaves no other way to the engine's own options.
 */
export class SealedContainer extends GenericContainer {
  constructor(image: string, { volumes, ports }: Pick<Plan, 'volumes' | 'ports'>) {
    super(image);
    this.withExposedPorts(...ports)
      .withDroppedCapabilities('ALL')
      .withSecurityOpt('no-new-privileges')
      .withWaitStrategy(AT_ONCE);
    this.hostConfig.ReadonlyRootfs = true;
    this.hostConfig.PortBindings = Object.fromEntries(
      ports.map(({ container, host }) => [
        `${container}/tcp`,
        [{ HostIp: '127.0.0.1', HostPort: String(host) }],
      ]),
    );
    // A process that looks after the health of each every two seconds would take what is measured from a small machine.
    this.createOpts.Healthcheck = { Test: ['NONE'] };
    this.createOpts.Volumes = Object.fromEntries(volumes.map((folder) => [folder, {}]));
  }
}

/** The part itself waits until it is ready, in the same way when it is started again. */
const AT_ONCE: WaitStrategy = {
  waitUntilReady: () => Promise.resolve(),
  withStartupTimeout: () => AT_ONCE,
  isStartupTimeoutSet: () => true,
  getStartupTimeout: () => 0,
};
