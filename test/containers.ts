import type { EngineOptions, TestSystem } from './system.ts';

/** Starts NATS, Redis and each service in containers, by testcontainers. */
export async function startContainers(_options: EngineOptions): Promise<TestSystem> {
  throw new Error('containers are not written yet');
}
