import type { Said } from './backlog-watch.ts';
import type { LedgerEntry } from './chaos-load.ts';
import { type HttpPool, httpPool, requestText } from './http-pool.ts';
import { basic } from './introspect-callers.ts';
import type { TestSystem } from './system.ts';

export const PUBLISHERS = ['jwks-publisher', 'jwks-publisher-2'];

/** When a finish was acknowledged (ms of the driver's clock), and how much later all replicas had said no. */
export type Latency = { at: number; ms: number };

/** How many ends are followed at the same time, of those whose latency is taken and of the others: the rest wait. */
const MOST_FOLLOWED = 400;
/**
 * How many are asked about at the same time. After a fault thousands wait to be asked about: together they would take the
 * machine, and whose latency is taken would stand in line behind them.
 */
const MOST_ASKED = { timed: 64, others: 16 };
/** A followed end whose first question came later than this says nothing of latency. */
const PROMPT_MS = 50;
/**
 * Of how many ends a second the latency is taken, by asking again and again, and about how many others it is asked once that
 * should be over: about more, the questions would take as much of the machine as all that is measured. At the end it is asked
 * about others anew. To containers the way of a question is longer: fewer there.
 */
const isFull = process.env['MAYFLY_TEST_FULL'] !== undefined;
const TIMED_A_SECOND = process.env['MAYFLY_TEST_ENGINE'] === 'containers' ? 25 : isFull ? 25 : 100;
const OTHERS_A_SECOND = isFull ? 50 : 100;
const UNTIMED_AFTER_MS = 150;

/** Asks every replica about the tokens of builds that finished, at this rate, until all say that they are not active. */
export function watchEnds(system: TestSystem, ratePerSecond: number) {
  const timed = asker(system, MOST_ASKED.timed);
  const others = asker(system, MOST_ASKED.others);
  const oneIn = (aSecond: number) => Math.max(1, Math.round(ratePerSecond / aSecond));
  const [timedOneIn, otherOneIn] = [oneIn(TIMED_A_SECOND), oneIn(OTHERS_A_SECOND)];
  let ends = 0;
  const latencies: Latency[] = [];
  const late: (Latency & { id: string })[] = [];
  const watching = new Set<Promise<void>>();
  const note = async (ask: AskAll, { id, token, finishAckedAt: at = 0 }: LedgerEntry) => {
    const lastActive = await lastYes(ask, token as string, at);
    if (lastActive !== undefined && lastActive - at > 1000) late.push({ id, at, ms: lastActive - at });
  };
  const [followTimed, followOther] = [atMost(MOST_FOLLOWED), atMost(MOST_FOLLOWED)];
  const follow = async (entry: LedgerEntry, isTimed: boolean) => {
    const { finishAckedAt: at = 0 } = entry;
    if (!isTimed) {
      await pause(UNTIMED_AFTER_MS);
      return await followOther(() => note(others.ask, entry));
    }
    await followTimed(async () => {
      const isPrompt = performance.now() - at < PROMPT_MS;
      await note(timed.ask, entry);
      if (isPrompt) latencies.push({ at, ms: performance.now() - at });
    });
  };
  return {
    latencies,
    late,
    finished(entry: LedgerEntry) {
      if (entry.token === undefined) return;
      const end = ends++;
      const isTimed = end % timedOneIn === 0;
      if (!isTimed && end % otherOneIn !== 0) return;
      const work = follow(entry, isTimed).finally(() => watching.delete(work));
      watching.add(work);
    },
    async done() {
      while (watching.size > 0) await Promise.all(watching);
      for (const { close } of [timed, others]) close();
    },
  };
}

/** Gives when replicas were asked about a token, and what each said. */
type AskAll = (names: readonly string[], token: string) => Promise<{ asked: number; answers: Said[] }>;

const TIMEOUT_MS = 5000;

/** Gives what asks replicas about a token, so many at a time, over connections that are kept: it must not be slower than what it asks. */
function asker(system: TestSystem, size: number): { ask: AskAll; close(): void } {
  const pools = new Map<number, HttpPool>();
  const poolAt = (port: number) => {
    const pool = pools.get(port) ?? httpPool(port, size, TIMEOUT_MS);
    pools.set(port, pool);
    return pool;
  };
  const headers = { authorization: basic(system), 'content-type': 'application/x-www-form-urlencoded' };
  const said = async (at: string, token: string): Promise<Said> => {
    const port = Number(new URL(system.urlOf(at)).port);
    const question = requestText(port, 'POST /acme/introspect', headers, `token=${token}`);
    const answer = await poolAt(port)
      .send(question)
      .catch(() => undefined);
    if (answer?.status !== 200) return 'unknown';
    return answer.body === '{"active":false}' ? 'inactive' : 'active';
  };
  const inTurn = atMost(size);
  const ask: AskAll = (names, token) =>
    inTurn(async () => {
      const asked = performance.now();
      return { asked, answers: await Promise.all(names.map((name) => said(name, token))) };
    });
  const close = () => {
    for (const pool of pools.values()) pool.close();
  };
  return { ask, close };
}

/** Asks every replica until each has said no; gives when the last question was asked that one answered with yes. */
async function lastYes(ask: AskAll, token: string, since: number): Promise<number | undefined> {
  let lastActive: number | undefined;
  let open = PUBLISHERS;
  for (;;) {
    const { asked, answers } = await ask(open, token);
    if (answers.includes('active')) lastActive = asked;
    open = open.filter((_, index) => answers[index] !== 'inactive');
    if (open.length === 0) return lastActive;
    const ms = performance.now() - since;
    await pause(ms < 300 ? 10 : Math.min(ms / 10, 400));
  }
}

/** Gives what does so many acts at a time; the others wait in line. */
function atMost(size: number): <T>(act: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let busy = 0;
  return async (act) => {
    if (busy === size) await new Promise<void>((resolve) => waiting.push(resolve));
    else busy += 1;
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else busy -= 1;
    }
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
