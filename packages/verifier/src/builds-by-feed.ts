import type { Builds, BuildsContext } from './builds.ts';
import { type FeedEvent, readEvents } from './feed-events.ts';

/** How long the feed may be silent before nobody knows, and how late a beat may come, ms. */
const SILENT_MS = 6000;
const LATE_MS = 4000;
/** How long tokens wait for the opening of the feed at first, ms. */
const OPENING_MS = 3000;
const RETRY_MS = 500;

/**
 * Hears the issuer's feed of builds that ended. Without its opening, or without a beat for six seconds, nobody knows.
 * Begins at once, and begins again, after the last event that it saw, whenever the feed breaks.
 */
export function buildsByFeed({ issuer, fetch }: BuildsContext, resources: DisposableStack): Builds {
  const feed = feedState();
  const closing = new AbortController();
  resources.defer(() => closing.abort());
  const opened = Promise.withResolvers<void>();
  const hear = async () => {
    while (!closing.signal.aborted) {
      await hearOnce(`${issuer}/revocations`, fetch, feed, closing.signal, opened.resolve).catch(
        () => undefined,
      );
      await pause(RETRY_MS, closing.signal);
    }
  };
  hear().catch(() => undefined);
  const openedOrLate = Promise.race([opened.promise, pause(OPENING_MS, closing.signal)]);
  const answer = (prefix: string) => {
    if (!feed.isKnown()) return 'unknown';
    return feed.hasEnded(prefix) ? 'over' : 'running';
  };
  return (_token, { jti }) => {
    const prefix = jti.slice(0, jti.indexOf('.') + 1);
    if (prefix === '') return 'unknown';
    if (feed.wasOpened()) return answer(prefix);
    return openedOrLate.then(() => answer(prefix));
  };
}

type FeedState = ReturnType<typeof feedState>;

function feedState() {
  const ended = new Map<string, number>();
  let windowMs = Infinity;
  let isOpen = false;
  let beatAt = -Infinity;
  let lastEventId = '';
  return {
    lastEventId: () => lastEventId,
    wasOpened: () => isOpen,
    isKnown: () => isOpen && performance.now() - beatAt <= SILENT_MS,
    hasEnded: (prefix: string) => ended.has(prefix),
    end(prefix: string, id: string) {
      ended.set(prefix, performance.now());
      lastEventId = id;
    },
    open(seconds: number) {
      windowMs = seconds * 1000;
      isOpen = true;
    },
    /** Whatever ended longer ago than the feed remembers has no token left that is not expired. */
    beat() {
      beatAt = performance.now();
      for (const [prefix, at] of ended) {
        if (beatAt - at <= windowMs) break;
        ended.delete(prefix);
      }
    },
  };
}

async function hearOnce(
  url: string,
  fetch: BuildsContext['fetch'],
  feed: FeedState,
  closing: AbortSignal,
  opened: () => void,
): Promise<void> {
  const breaking = new AbortController();
  const signal = AbortSignal.any([closing, breaking.signal]);
  const lastEventId = feed.lastEventId();
  const headers = { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) };
  // A feed that says nothing for longer than may be is given up.
  let silence = setTimeout(() => breaking.abort(), SILENT_MS).unref();
  try {
    const asked = performance.now();
    const response = await fetch(url, { headers, redirect: 'manual', signal });
    if (response.status !== 200 || !response.body) throw new Error('the feed cannot be heard');
    const take = taker(feed, opened, asked);
    for await (const event of readEvents(response.body)) {
      clearTimeout(silence);
      silence = setTimeout(() => breaking.abort(), SILENT_MS).unref();
      if (!take(event)) break;
    }
  } finally {
    clearTimeout(silence);
    breaking.abort();
  }
}

/**
 * Takes what is known, and when the connection was asked for (ms); gives what takes in each event of it, and says whether to
 * go on hearing it.
 */
function taker(feed: FeedState, opened: () => void, asked: number): (event: FeedEvent) => boolean {
  let firstTime: number | undefined;
  let lastLate = Infinity;
  let isOpen = false;
  return ({ name, id, data }) => {
    if (name === 'build.finished' && typeof data['jti_prefix'] === 'string') feed.end(data['jti_prefix'], id);
    if (name === 'open' && typeof data['window'] === 'number') {
      isOpen = true;
      feed.open(data['window']);
    }
    const time = data['time'];
    if (name !== 'beat' || !isOpen || typeof time !== 'number') return true;
    // Beats that lay in a buffer, as after a pause of this process or behind a long opening, prove nothing about now. The
    // first is no older than the question.
    firstTime ??= time;
    const late = performance.now() - asked - (time - firstTime) * 1000;
    const isCatchingUp = late < lastLate;
    lastLate = late;
    if (late > LATE_MS) return isCatchingUp;
    feed.beat();
    opened();
    return true;
  };
}

function pause(ms: number, closing: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      closing.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    closing.addEventListener('abort', done, { once: true });
  });
}
