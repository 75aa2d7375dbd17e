import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { startedEvent } from '../ci.ts';
import { pace, saturate } from './pace.ts';
import { answerJobs } from './program.ts';

/** Builds to start, each with one token of this audience: so many a second, or as many as are under way at once. */
export type BuildsJob = {
  login: { servers: string[]; user?: string; pass?: string; inboxPrefix?: string };
  audience: string;
  seconds: number;
  perSecond?: number;
  inFlight: number;
};
/** How many tokens were heard, and how long after the start was published (ms). */
export type BuildsResult = {
  perSecond: number;
  latencies: number[];
  lateness: number[];
  failed: number;
  cpuSeconds: number;
};

const SOURCE = 'acme';
const REPLY_NAME = 'generator';
const LATE_MS = 10_000;

type Caller = { nats: NatsConnection; start(audience: string): Promise<boolean> };
const callers = new Map<string, Promise<Caller>>();

await answerJobs<BuildsJob>(
  async ({ login, audience, seconds, perSecond, inFlight }) => {
    const server = login.servers[0] as string;
    const made = callers.get(server) ?? open(login);
    callers.set(server, made);
    const { start } = await made;
    const act = () => start(audience);
    const before = process.cpuUsage();
    const done = perSecond
      ? { perSecond, ...(await pace(perSecond, seconds, act)) }
      : { lateness: [], ...(await saturate(inFlight, seconds, act)) };
    const { user, system } = process.cpuUsage(before);
    return { ...done, cpuSeconds: (user + system) / 1e6 } satisfies BuildsResult;
  },
  async () => {
    for (const made of callers.values()) await (await made).nats.close();
  },
);

/** A CI system that starts builds and hears their tokens. */
async function open(login: BuildsJob['login']): Promise<Caller> {
  const nats = await connect({ ...login, timeout: 5000, noAsyncTraces: true });
  const js = jetstream(nats);
  const waiting = new Map<string, (isGood: boolean) => void>();
  nats.subscribe(`tokens.${SOURCE}.${REPLY_NAME}`, {
    callback: (_error, message) => {
      const { data } = message.json<{ data: { id: string; id_tokens: Record<string, string> } }>();
      waiting.get(data.id)?.('API_TOKEN' in data.id_tokens);
    },
  });
  await nats.flush();
  const publish = async (id: string, audience: string) => {
    const event = startedEvent(SOURCE, { id, reply: REPLY_NAME, idTokens: { API_TOKEN: { aud: audience } } });
    await js.publish(`ci.${SOURCE}.build.started`, JSON.stringify(event), { msgID: event.id, timeout: 5000 });
  };
  return {
    nats,
    async start(audience) {
      const id = randomUUID();
      const heard = new Promise<boolean>((resolve) => waiting.set(id, resolve));
      const late = setTimeout(() => waiting.get(id)?.(false), LATE_MS);
      publish(id, audience).catch(() => waiting.get(id)?.(false));
      const isGood = await heard;
      clearTimeout(late);
      waiting.delete(id);
      return isGood;
    },
  };
}
