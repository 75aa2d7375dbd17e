import { freePorts } from '@mayfly/infra/processes';
import { answersOk } from '@mayfly/infra/readiness';
import { SERVICES, type ServiceName } from '@mayfly/infra/service-environment';
import { anyTrouble, type Engine } from './chaos-faults.ts';
import type { TcpProxy } from './proxy.ts';
import { proxyThread } from './proxy-thread.ts';
import { testSystem } from './system.ts';

const isContainers = process.env['MAYFLY_TEST_ENGINE'] === 'containers';

/** One NATS, one Redis and two of each service; where they are processes their ways to both lead through proxies. */
export async function singleEngine(stack: AsyncDisposableStack): Promise<Engine> {
  const { ways, wanted } = isContainers ? { ways: {}, wanted: {} } : await openWays(stack);
  const system = stack.use(await testSystem({ replicas: 2, ...wanted }));
  const services = system.names.filter((name) => SERVICES.some((service) => name.startsWith(service)));
  const isReady = (name: string) => answersOk(`${system.opsUrlOf(name)}/readyz`);
  return {
    system,
    next: async (random) => anyTrouble(system, system.names, ways, random),
    isWhole: async () => (await Promise.all(services.map(isReady))).every((one) => one),
  };
}

async function openWays(stack: AsyncDisposableStack) {
  const thread = stack.use(proxyThread());
  const [nats, redis] = (await freePorts(2)) as [number, number];
  const ways: Record<string, TcpProxy[]> = {};
  const environment: Partial<Record<ServiceName, Record<string, string>>> = {};
  for (const service of SERVICES) {
    const toNats = stack.use(await thread.start(nats));
    const toRedis = stack.use(await thread.start(redis));
    ways[`${service} from NATS`] = [toNats];
    if (service !== 'key-manager') ways[`${service} from Redis`] = [toRedis];
    environment[service] = {
      NATS_URL: `nats://127.0.0.1:${toNats.port}`,
      ...(service === 'key-manager' ? {} : { REDIS_URL: `redis://127.0.0.1:${toRedis.port}` }),
    };
  }
  return { ways, wanted: { ports: { nats, redis }, environment } };
}
