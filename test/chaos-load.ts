import { randomUUID } from 'node:crypto';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import type { TokenGrant } from '@mayfly/contracts/events';
import { type Ci, finishedEvent, startedEvent } from './ci.ts';

/** What the driver knows of one build, from its own side: times in ms of its monotonic clock, sequences as acknowledged. */
export type LedgerEntry = {
  id: string;
  startedAt: number;
  startSeq?: number;
  startAckedAt?: number;
  token?: string | undefined;
  tokenAt?: number;
  finishSeq?: number;
  finishAckedAt?: number;
};

/** A running load: its ledger, and the way to end it. */
export type Load = {
  ledger: LedgerEntry[];
  /** Stops starting builds, and waits for those events that are still on their way. */
  stop(): Promise<void>;
};

type Options = { ci: Ci; ratePerSecond: number; random(): number; onFinish(entry: LedgerEntry): void };

/** How long a CI waits for a grant before it asks for it, ms; each time twice as long. */
const ASK_AFTER_MS = 1000;
const MOST_ASK_AFTER_MS = 8000;
/** How often builds start and finish, those together that are due: a timer for each would be a good part of the load. */
const TICK_MS = 10;

/** Tokens that were had longer ago have expired, and are forgotten: a driver with much to remember stops now and then. */
const TOKEN_KEPT_MS = 330_000;
/** Of how many builds a second the token is remembered after their end. */
const TOKENS_KEPT_A_SECOND = 50;

/** Starts builds at a fixed rate, whatever becomes of them; each gets its token, runs for up to two seconds and finishes. */
export function startLoad({ ci, ratePerSecond, random, onFinish }: Options): Load {
  const ledger: LedgerEntry[] = [];
  const inHand = new Set<Promise<void>>();
  const began = performance.now();
  const keptOneIn = Math.max(1, Math.round(ratePerSecond / TOKENS_KEPT_A_SECOND));
  const [runs, asks] = [ticking(), ticking()];
  let isStopped = false;
  let forgotten = 0;
  const forgetOldTokens = () => {
    const before = performance.now() - TOKEN_KEPT_MS;
    for (let old = ledger[forgotten]; old && old.startedAt < before; old = ledger[++forgotten])
      old.token = undefined;
  };
  const startDue = () => {
    const due = Math.floor(((performance.now() - began) / 1000) * ratePerSecond);
    while (ledger.length < due) {
      const entry: LedgerEntry = {
        id: `chaos-${ledger.length}-${randomUUID().slice(0, 8)}`,
        startedAt: performance.now(),
      };
      const isKept = ledger.push(entry) % keptOneIn === 0;
      const finished = () => {
        onFinish({ ...entry });
        if (!isKept) entry.token = undefined;
      };
      const clock = { runs: runs.pause, asks: asks.pause, isStopped: () => isStopped };
      const work = live(entry, ci, random, clock, finished).finally(() => inHand.delete(work));
      inHand.add(work);
    }
    forgetOldTokens();
  };
  const tick = setInterval(() => {
    if (!isStopped) startDue();
    runs.tick();
    asks.tick();
  }, TICK_MS);
  return {
    ledger,
    async stop() {
      isStopped = true;
      asks.endAll();
      await Promise.all(inHand);
      clearInterval(tick);
    },
  };
}

/** Pauses that end with the tick in which they are due (ms). */
function ticking() {
  const pauses = new Map<number, (() => void)[]>();
  const tickAt = (ms: number) => Math.ceil(ms / TICK_MS);
  let next = tickAt(performance.now());
  return {
    pause: (ms: number) =>
      new Promise<undefined>((resolve) => {
        const at = Math.max(next, tickAt(performance.now() + ms));
        const there = pauses.get(at);
        const end = () => resolve(undefined);
        if (there) there.push(end);
        else pauses.set(at, [end]);
      }),
    tick() {
      for (const now = Math.floor(performance.now() / TICK_MS); next <= now; next++) {
        for (const end of pauses.get(next) ?? []) end();
        pauses.delete(next);
      }
    },
    endAll() {
      for (const end of [...pauses.values()].flat()) end();
      pauses.clear();
    },
  };
}

type Clock = {
  /** How long a build runs, and how long it is waited for its grant before it is asked for. */
  runs(ms: number): Promise<undefined>;
  asks(ms: number): Promise<undefined>;
  isStopped(): boolean;
};

async function live(entry: LedgerEntry, ci: Ci, random: () => number, clock: Clock, onFinish: () => void) {
  const { source } = ci;
  const runsMs = random() * 2000;
  const start = startedEvent(source, { id: entry.id });
  const granted = Promise.withResolvers<TokenGrant>();
  const stopHearing = ci.onGrant(entry.id, granted.resolve);
  entry.startSeq = await publishUntilStored(ci, EVENT_NAMES.started(source), start);
  entry.startAckedAt = performance.now();
  await getToken(entry, ci, granted.promise, clock).finally(stopHearing);
  await clock.runs(runsMs);
  // Every other build runs on past the end of the load: those must be able to have a token after it.
  if (clock.isStopped() && random() < 0.5) return;
  entry.finishSeq = await publishUntilStored(
    ci,
    EVENT_NAMES.finished(source),
    finishedEvent(source, entry.id),
  );
  entry.finishAckedAt = performance.now();
  onFinish();
}

async function publishUntilStored(ci: Ci, eventName: string, event: { id: string }): Promise<number> {
  const body = JSON.stringify(event);
  for (;;) {
    try {
      return (await ci.publish(eventName, body, event.id)).seq;
    } catch {
      await pause(100);
    }
  }
}

async function getToken(
  entry: LedgerEntry,
  ci: Ci,
  granted: Promise<TokenGrant>,
  { asks, isStopped }: Clock,
): Promise<void> {
  for (let askAfterMs = ASK_AFTER_MS; ; askAfterMs = Math.min(askAfterMs * 2, MOST_ASK_AFTER_MS)) {
    const heard = await Promise.race([granted, asks(askAfterMs)]);
    if (heard) return keep(entry, heard);
    if (isStopped()) return;
    const answer = await Promise.race([granted, ci.askGrant(entry.id, 1, 0).catch(() => undefined)]);
    if (answer) return keep(entry, answer);
  }
}

function keep(entry: LedgerEntry, { data }: TokenGrant): void {
  entry.token = data.id_tokens['API_TOKEN'] as string;
  entry.tokenAt = performance.now();
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
