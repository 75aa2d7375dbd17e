import type { Said } from './backlog-watch.ts';
import type { LedgerEntry } from './chaos-load.ts';
import { type HttpPool, httpPool, requestText } from './http-pool.ts';
import { basic } from './introspect-callers.ts';
import type { TestSystem } from './system.ts';

export const PUBLISHERS = ['jwks-publisher', 'jwks-publisher-2'];

/** When a finish was acknowledged (ms of the driver's clock), and how much later all replicas had said no. */
export type Latency = { at: number; ms: number };

/** How many ends are followed at the same time: the rest are asked about as soon as one of these is known. */
const MOST_FOLLOWED = 400;
/** A followed end whose first question came later than this says nothing of latency. */
const PROMPT_MS = 50;
/**
 * Of how many ends a second the latency is taken, by asking again and again: of more of them, the questions would take as
 * much of the machine as all that is measured. The others are asked about once that should be over.
 */
const TIMED_A_SECOND = 100;
const UNTIMED_AFTER_MS = 150;

/** Asks every replica about the token of each build that finished, at this rate, until all say that it is not active. */
export function watchEnds(system: TestSystem, ratePerSecond: number) {
  const { said, close } = asker(system);
  const timedOneIn = Math.max(1, Math.round(ratePerSecond / TIMED_A_SECOND));
  let ends = 0;
  const latencies: Latency[] = [];
  const late: (Latency & { id: string })[] = [];
  const waiting: LedgerEntry[] = [];
  const watching = new Set<Promise<void>>();
  const follow = async ({ id, token, finishAckedAt: at = 0 }: LedgerEntry) => {
    const isTimed = ends++ % timedOneIn === 0;
    if (!isTimed) await pause(UNTIMED_AFTER_MS);
    const isPrompt = isTimed && performance.now() - at < PROMPT_MS;
    const lastActive = await lastYes(said, token as string, at);
    if (isPrompt) latencies.push({ at, ms: performance.now() - at });
    if (lastActive !== undefined && lastActive - at > 1000) late.push({ id, at, ms: lastActive - at });
  };
  const followNext = () => {
    const entry = watching.size < MOST_FOLLOWED ? waiting.shift() : undefined;
    if (!entry) return;
    const work = follow(entry).finally(() => {
      watching.delete(work);
      followNext();
    });
    watching.add(work);
  };
  return {
    latencies,
    late,
    finished(entry: LedgerEntry) {
      if (entry.token === undefined) return;
      waiting.push(entry);
      followNext();
    },
    async done() {
      while (watching.size > 0) await Promise.all(watching);
      close();
    },
  };
}

type Ask = (at: string, token: string) => Promise<Said>;

const CONNECTIONS = 64;
const TIMEOUT_MS = 5000;

/** Gives what asks a replica about a token, over connections that are kept: it must not be slower than what it asks. */
function asker(system: TestSystem): { said: Ask; close(): void } {
  const pools = new Map<number, HttpPool>();
  const poolAt = (port: number) => {
    const pool = pools.get(port) ?? httpPool(port, CONNECTIONS, TIMEOUT_MS);
    pools.set(port, pool);
    return pool;
  };
  const headers = { authorization: basic(system), 'content-type': 'application/x-www-form-urlencoded' };
  const said: Ask = async (at, token) => {
    const port = Number(new URL(system.urlOf(at)).port);
    const question = requestText(port, 'POST /acme/introspect', headers, `token=${token}`);
    const answer = await poolAt(port)
      .send(question)
      .catch(() => undefined);
    if (answer?.status !== 200) return 'unknown';
    return answer.body === '{"active":false}' ? 'inactive' : 'active';
  };
  const close = () => {
    for (const pool of pools.values()) pool.close();
  };
  return { said, close };
}

/** Asks every replica until each has said no; gives when the last question was asked that one answered with yes. */
async function lastYes(said: Ask, token: string, since: number): Promise<number | undefined> {
  let lastActive: number | undefined;
  let open = PUBLISHERS;
  for (;;) {
    const asked = performance.now();
    const answers = await Promise.all(open.map((name) => said(name, token)));
    if (answers.includes('active')) lastActive = asked;
    open = open.filter((_, index) => answers[index] !== 'inactive');
    if (open.length === 0) return lastActive;
    await pause(performance.now() - since < 300 ? 10 : 400);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
