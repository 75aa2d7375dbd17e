import { chmodSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { bootstrap } from '@mayfly/infra/bootstrap';
import { CONTAINER_PLACES, giveToContainers } from '@mayfly/infra/container-places';
import { makeDeployment } from '@mayfly/infra/deployment';
import { buildImages } from '@mayfly/infra/images';
import { sourceAccount } from '@mayfly/infra/nats/accounts';
import { keepPorts } from '@mayfly/infra/ports';
import { SERVICES } from '@mayfly/infra/service-environment';
import { parsePolicy } from '@mayfly/service-kit/policy';
import { Network } from 'testcontainers';
import { removeLeftovers } from './containers-leftovers.ts';
import { type Part, partIn, removed } from './containers-part.ts';
import { type Layout, planOf } from './containers-plan.ts';
import { disposedOnce } from './left-systems.ts';
import type { EngineOptions, TestSystem } from './system.ts';

// The reaper is one more image to have; `removeLeftovers` does for what a killed run leaves.
process.env['TESTCONTAINERS_RYUK_DISABLED'] ??= 'true';
// Asked for it, testcontainers would pull an image to find out.
process.env['TESTCONTAINERS_HOST_OVERRIDE'] ??= '127.0.0.1';

/** Starts NATS, Redis and each service in containers, by testcontainers. */
export async function startContainers(options: EngineOptions): Promise<TestSystem> {
  await buildImages((line) => console.log(line));
  await removeLeftovers();
  const layout = await layOut(options);
  const stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(options.dir, { recursive: true, force: true, maxRetries: 5 }));
  try {
    const network = await new Network().start();
    stack.defer(() => removed(() => network.stop()));
    const parts = new Map(
      layout.names.map((name) => [name, partIn(network, planOf(name, options, layout))] as const),
    );
    stack.defer(async () => {
      // All of them, before their network and their files, though one of them may fail.
      const removing = await Promise.allSettled([...parts.values()].map((part) => part.remove()));
      for (const one of removing) if (one.status === 'rejected') throw one.reason;
    });
    const system = systemOf(layout, parts, stack);
    await Promise.all(['nats', 'redis'].map(system.start));
    await system.bootstrap();
    await Promise.all(layout.names.slice(2).map(system.start));
    return system;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Makes all that is needed before the first container: ports, secrets, configuration, and the two servers' folders. */
async function layOut({ dir, policyFile, replicas }: EngineOptions): Promise<Layout> {
  const policy = parsePolicy(readFileSync(policyFile, 'utf8'), policyFile);
  const services = SERVICES.flatMap((service) =>
    Array.from({ length: replicas }, (_, index) => (index === 0 ? service : `${service}-${index + 1}`)),
  );
  const opsNames = services.map((name) => `ops-${name}`);
  const ports = await keepPorts(join(dir, 'ports.json'), [
    ...['nats', 'nats-monitor', 'redis'],
    ...services,
    ...opsNames,
  ]);
  const deployment = makeDeployment(policy, dir, CONTAINER_PLACES);
  const data = ['nats', 'redis'].map((server) => join(dir, 'data', server));
  for (const folder of data) mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(policyFile, 0o600);
  giveToContainers([...deployment.files(), policyFile, ...data]);
  const baseUrl = policy.base_url ?? `http://localhost:${ports['jwks-publisher']}`;
  const requestUrl = policy.request_url ?? policy.base_url ?? `http://localhost:${ports['issuer']}`;
  return { names: ['nats', 'redis', ...services], policy, deployment, ports, baseUrl, requestUrl };
}

function systemOf(
  { names, policy, deployment, ports, baseUrl, requestUrl }: Layout,
  parts: Map<string, Part>,
  stack: AsyncDisposableStack,
): TestSystem {
  const part = (name: string) => {
    const found = parts.get(name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  };
  const natsUrl = `nats://127.0.0.1:${ports['nats']}`;
  return {
    engine: 'containers',
    ...{ baseUrl, requestUrl, names, natsUrl },
    natsMonitorUrl: `http://127.0.0.1:${ports['nats-monitor']}`,
    redisUrl: `redis://127.0.0.1:${ports['redis']}`,
    urlsOf: (kind) => (kind === 'sentinel' ? [] : [`${kind}://127.0.0.1:${ports[kind]}`]),
    urlOf: (name) => `http://127.0.0.1:${ports[name]}`,
    opsUrlOf: (name) => `http://127.0.0.1:${ports[`ops-${name}`]}`,
    kill: (name) => part(name).kill(),
    stop: (name) => part(name).stop(),
    start: (name) => part(name).start(),
    pause: (name) => part(name).pause(),
    resume: (name) => part(name).resume(),
    log: (name) => part(name).log(),
    secret: deployment.secret,
    secretFile: deployment.secretFile,
    ciCredentials(source) {
      const user = sourceAccount(source);
      const pass = deployment.secret(`nats-${user}`);
      return { servers: [natsUrl], user, pass, inboxPrefix: `_INBOX.${user}` };
    },
    bootstrap: () =>
      bootstrap(policy, { servers: [natsUrl], password: (user) => deployment.secret(`nats-${user}`) }),
    [Symbol.asyncDispose]: disposedOnce(() => stack.disposeAsync()),
  };
}
