import { type HttpPool, httpPool } from '../http-pool.ts';
import { pace, saturate } from './pace.ts';
import { answerJobs } from './program.ts';

/** Requests to send in turn: so many a second, or as fast as they are answered. */
export type HttpJob = {
  port: number;
  requests: string[];
  connections: number;
  seconds: number;
  perSecond?: number;
};
/** What came of them. Latencies in ms. */
export type HttpResult = {
  perSecond: number;
  latencies: number[];
  lateness: number[];
  failed: number;
  cpuSeconds: number;
};

const pools = new Map<number, HttpPool>();

await answerJobs<HttpJob>(
  async ({ port, requests, connections, seconds, perSecond }) => {
    const pool = pools.get(port) ?? httpPool(port, connections);
    pools.set(port, pool);
    let next = 0;
    const act = async () => (await pool.send(requests[next++ % requests.length] as string)).status === 200;
    const before = process.cpuUsage();
    const done = perSecond
      ? { perSecond, ...(await pace(perSecond, seconds, act)) }
      : { lateness: [], ...(await saturate(connections, seconds, act)) };
    const { user, system } = process.cpuUsage(before);
    return { ...done, cpuSeconds: (user + system) / 1e6 } satisfies HttpResult;
  },
  () => {
    for (const pool of pools.values()) pool.close();
  },
);
