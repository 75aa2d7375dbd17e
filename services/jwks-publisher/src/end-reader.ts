import type { LifecycleLog, StoredEnd } from './lifecycle-log.ts';
import { readEndsSince } from './read-ends.ts';

/** Reads the ends in LIFECYCLE, each once and in order. */
export type EndReader = {
  /** Hears that an event with this id was announced, and reads until it has come. */
  heard(eventId: string): void;
  /** Reads everything that is there; resolves when done. */
  catchUp(): Promise<void>;
  /** Says whether nothing that was announced is still to be read. */
  isComplete(): boolean;
  /** Begins anew, from the beginning of the window. */
  restart(): void;
};

/** How long an announced event may take to appear in the stream, ms. */
const AWAITED_MS = 3000;

/** Takes the stream, how far back to begin (ms), and who takes each end; gives the reader. */
export function endReader(log: LifecycleLog, windowMs: number, take: (end: StoredEnd) => void): EndReader {
  const awaited = new Map<string, number>();
  let cursor: number | undefined;
  let reading: Promise<void> | undefined;
  let isDraining = false;

  const advance = (end: StoredEnd) => {
    cursor = end.seq;
    awaited.delete(end.eventId);
    take(end);
  };
  const readAll = async () => {
    if (cursor === undefined) {
      const { ends, last } = await readEndsSince(Date.now() - windowMs, log);
      for (const end of ends) advance(end);
      cursor = last;
    }
    for (let end = await log.next(cursor + 1); end; end = await log.next(cursor + 1)) advance(end);
  };
  /** One reading at a time; who comes meanwhile waits for one that began after it came. */
  const catchUp = async () => {
    await reading?.catch(() => undefined);
    reading ??= readAll().finally(() => {
      reading = undefined;
    });
    await reading;
  };
  const drain = async () => {
    while (awaited.size > 0) {
      await catchUp();
      const oldest = performance.now() - AWAITED_MS;
      for (const [id, at] of awaited) if (at < oldest) awaited.delete(id);
      if (awaited.size > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };
  return {
    catchUp,
    isComplete: () => awaited.size === 0,
    restart() {
      cursor = undefined;
    },
    heard(eventId) {
      awaited.set(eventId, performance.now());
      if (isDraining) return;
      isDraining = true;
      drain()
        .catch(() => awaited.clear())
        .finally(() => {
          isDraining = false;
        });
    },
  };
}
