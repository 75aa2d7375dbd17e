import { type FastifyInstance, fastify } from 'fastify';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';

/** One thing that must hold for a service to be ready: its name and whether it holds now. */
export type ReadyCheck = () => boolean;

/** How a process shows its state to operators. */
export type Ops = {
  metrics: Registry;
  /** Adds a condition of readiness; `name` is shown while it does not hold. */
  readyWhen(name: string, check: ReadyCheck): void;
};

/** Opens `/livez`, `/readyz` and `/metrics` (Prometheus) on a port of their own. Throws where the port is taken. */
export async function openOps(
  { OPS_HOST, OPS_PORT }: { OPS_HOST: string; OPS_PORT: number },
  resources: AsyncDisposableStack,
): Promise<Ops> {
  const { http, ops } = opsServer();
  collectDefaultMetrics({ register: ops.metrics });
  resources.defer(() => http.close());
  await http.listen({ host: OPS_HOST, port: OPS_PORT });
  return ops;
}

/** Gives what answers operators, which listens nowhere yet, and what a service says through it. */
export function opsServer(): { http: FastifyInstance; ops: Ops } {
  const metrics = new Registry();
  const checks = new Map<string, ReadyCheck>();
  new Gauge({
    name: 'mayfly_ready',
    help: 'Whether what the service needs holds now (1) or not (0), by its name.',
    labelNames: ['check'],
    registers: [metrics],
    collect() {
      for (const [check, holds] of checks) this.set({ check }, holds() ? 1 : 0);
    },
  });
  const http = fastify({ bodyLimit: 1024, forceCloseConnections: true });
  http.get('/livez', () => ({ status: 'alive' }));
  http.get('/readyz', (_request, reply) => {
    const missing = [...checks].filter(([, check]) => !check()).map(([name]) => name);
    return reply.code(missing.length === 0 ? 200 : 503).send({ ready: missing.length === 0, missing });
  });
  http.get('/metrics', async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.metrics()),
  );
  return { http, ops: { metrics, readyWhen: (name, check) => void checks.set(name, check) } };
}
