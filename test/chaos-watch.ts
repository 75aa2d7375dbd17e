import { said } from './backlog-watch.ts';
import type { LedgerEntry } from './chaos-load.ts';
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
    await pause(performance.now() - since < 300 ? 10 : 400);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
