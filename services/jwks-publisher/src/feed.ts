import { endReader } from './end-reader.ts';
import { type EndedBuild, type Ends, feedLog } from './feed-log.ts';
import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';

/** What the feed is made from. */
export type FeedSource = {
  lifecycle: LifecycleLog;
  /** Says whether everything that BUILDS holds is announced: whether the projection is proven fresh. */
  isFresh(): Promise<boolean>;
  /** How long an end is told to those who come later, ms. */
  windowMs: number;
};

/** Those who hear the feed of one source. */
export type Listener = {
  source: string;
  tell(ended: EndedBuild): void;
  /** Nothing that ended so far was left out. */
  beat(): void;
  /** What was told may not hold: begin anew. */
  end(): void;
};

/** The feed of builds that ended. */
export type Feed = {
  /** Says whether it is known now that nothing is missing. */
  isProven(): boolean;
  windowMs: number;
  /** Gives every end of a source so far, of which a listener has to be told first. */
  endsOf(source: string): Ends;
  /** Adds a listener; gives what takes it away again. */
  listen(listener: Listener): () => void;
  /** Hears that an end was stored, and the sequence of the one before it: tells it, or reads first what was missed. */
  stored(end: StoredEnd, before: number): void;
  /** Looks whether anything is missing; resolves when done. */
  tick(): Promise<void>;
};

/** How long a proof holds, ms. */
const PROVEN_MS = 2500;
/** Looks after which a newest end that the stream does not hold was lost, and is not just behind on one replica. */
const MISMATCHES = 3;

/** Takes what the feed is made from; gives the feed, to be ticked once a second. */
export function feed({ lifecycle, isFresh, windowMs }: FeedSource): Feed {
  const log = feedLog();
  const listeners = new Set<Listener>();
  let provenAt = -Infinity;
  let mismatches = 0;

  const reader = endReader(lifecycle, windowMs, ({ ended }) => {
    if (!ended || !log.add(ended)) return;
    for (const listener of listeners) if (listener.source === ended.source) listener.tell(ended);
  });
  const beginAnew = () => {
    log.clear();
    reader.restart();
    for (const listener of listeners) listener.end();
  };
  const isSameStream = async (windowBegins: number) => {
    if (!log.newest()) {
      // Nothing is known of the window: an end in it stands in a stream that was made anew, or cut short, before what was read.
      const last = await lifecycle.last();
      if (last && last.storedAt >= windowBegins && !log.newest()) reader.restart();
      return true;
    }
    mismatches = (await holds(log.newest(), lifecycle)) ? 0 : mismatches + 1;
    if (mismatches >= MISMATCHES) beginAnew();
    return mismatches === 0 || mismatches >= MISMATCHES;
  };
  return {
    windowMs,
    isProven: () => reader.isComplete() && performance.now() - provenAt <= PROVEN_MS,
    stored: reader.stored,
    endsOf: log.of,
    listen(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async tick() {
      const began = performance.now();
      const windowBegins = Date.now() - windowMs;
      log.forgetBefore(windowBegins);
      if (!(await isFresh()) || !(await isSameStream(windowBegins))) return;
      await reader.catchUp();
      if (!reader.isComplete()) return;
      provenAt = began;
      for (const listener of listeners) listener.beat();
    },
  };
}

/** Says whether the stream still holds the newest end: it does not after it was lost, or cut short. */
async function holds(newest: EndedBuild | undefined, lifecycle: LifecycleLog): Promise<boolean> {
  if (!newest) return true;
  const there: StoredEnd | undefined = await lifecycle.next(newest.seq);
  return there?.seq === newest.seq && there.ended?.id === newest.id;
}
