import { said } from './backlog-watch.ts';
import type { LedgerEntry } from './chaos-load.ts';
import type { TestSystem } from './system.ts';

export const PUBLISHERS = ['jwks-publisher', 'jwks-publisher-2'];

/** When a finish was acknowledged (ms of the driver's clock), and how much later all replicas had said no. */
export type Latency = { at: number; ms: number };

/** How many ends are followed at the same time: the rest are asked about as soon as one of these is known. */
const MOST_FOLLOWED = 200;
/** A followed end whose first question came later than this says nothing of latency. */
const PROMPT_MS = 50;

/** Asks every replica about the token of each build that finished, until all say that it is not active. */
export function watchEnds(system: TestSystem) {
  const latencies: Latency[] = [];
  const late: (Latency & { id: string })[] = [];
  const waiting: LedgerEntry[] = [];
  const watching = new Set<Promise<void>>();
  const follow = async ({ id, token, finishAckedAt: at = 0 }: LedgerEntry) => {
    const isPrompt = performance.now() - at < PROMPT_MS;
    const lastActive = await lastYes(system, token as string, at);
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
    },
  };
}

/** Asks every replica until each has said no; gives when the last question was asked that one answered with yes. */
async function lastYes(system: TestSystem, token: string, since: number): Promise<number | undefined> {
  let lastActive: number | undefined;
  let open = PUBLISHERS;
  for (;;) {
    const asked = performance.now();
    const answers = await Promise.all(open.map((name) => said(system, name, token)));
    if (answers.includes('active')) lastActive = asked;
    open = open.filter((_, index) => answers[index] !== 'inactive');
    if (open.length === 0) return lastActive;
    await new Promise((resolve) => setTimeout(resolve, performance.now() - since < 300 ? 10 : 400));
  }
}
