import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { pace, saturate } from './pace.ts';
import { answerJobs } from './program.ts';

/** Questions to a server: so many a second, or one after another. */
export type WakeJob = {
  server: { redisPort: number; username: string; password: string } | { natsUrl: string };
  seconds: number;
  perSecond?: number;
};
/** How many were answered, how long each took from when it was sent (ms), and the CPU time of this process (s). */
export type WakeResult = { latencies: number[]; cpuSeconds: number };

type Asked = { ask(): Promise<boolean>; close(): unknown };
const opened = new Map<string, Promise<Asked>>();

await answerJobs<WakeJob>(
  async ({ server, seconds, perSecond }) => {
    const name = JSON.stringify(server);
    const made = opened.get(name) ?? ('natsUrl' in server ? overNats(server.natsUrl) : toRedis(server));
    opened.set(name, made);
    const { ask } = await made;
    const latencies: number[] = [];
    // Not from when it was due: how late a timer of ours comes is no matter of the servers.
    const timed = async () => {
      const sent = performance.now();
      const isAnswered = await ask();
      latencies.push(performance.now() - sent);
      return isAnswered;
    };
    const before = process.cpuUsage();
    const { failed } = await (perSecond ? pace(perSecond, seconds, timed) : saturate(1, seconds, timed));
    if (failed > 0) throw new Error(`${failed} questions were not answered`);
    const { user, system } = process.cpuUsage(before);
    return { latencies, cpuSeconds: (user + system) / 1e6 } satisfies WakeResult;
  },
  async () => {
    for (const made of opened.values()) await (await made).close();
  },
);

async function toRedis({ redisPort, ...login }: Extract<WakeJob['server'], { redisPort: number }>) {
  const redis = new Redis(redisPort, '127.0.0.1', login);
  await redis.ping();
  return { ask: async () => (await redis.ping()) === 'PONG', close: () => redis.disconnect() };
}

/** Asks itself over the server, and answers. */
async function overNats(natsUrl: string): Promise<Asked> {
  const nats = await connect({ servers: [natsUrl], noAsyncTraces: true });
  nats.subscribe('wake', { callback: (_error, message) => void message.respond() });
  await nats.flush();
  return { ask: async () => Boolean(await nats.request('wake')), close: () => nats.close() };
}
