/** One build that ended: where its end stands in LIFECYCLE and when it was stored there (ms), and what the feed says. */
export type EndedBuild = {
  seq: number;
  storedAt: number;
  source: string;
  id: string;
  attempt: number;
  reason: string;
  finishedAt: number;
};

/** The ends of a source, oldest first, and how many there were before the first of them. They change when the log does. */
export type Ends = { readonly first: number; readonly list: readonly EndedBuild[] };

/** The ends that a relying party may still have to know of. */
export type FeedLog = {
  /** Takes an end in; says whether it is one that was not there. */
  add(ended: EndedBuild): boolean;
  of(source: string): Ends;
  /** The newest end of any source. */
  newest(): EndedBuild | undefined;
  /** Forgets the ends that were stored before then (ms). */
  forgetBefore(time: number): void;
  clear(): void;
};

type Kept = { first: number; list: EndedBuild[]; names: Set<string> };

/** Gives a log with nothing in it. Ends are to be added in the order of their sequences. */
export function feedLog(): FeedLog {
  const bySource = new Map<string, Kept>();
  let newest: EndedBuild | undefined;
  return {
    add(ended) {
      newest = ended;
      const kept = bySource.get(ended.source) ?? { first: 0, list: [], names: new Set() };
      bySource.set(ended.source, kept);
      const name = nameOf(ended);
      if (kept.names.has(name)) return false;
      kept.names.add(name);
      kept.list.push(ended);
      return true;
    },
    of: (source) => bySource.get(source) ?? { first: 0, list: [] },
    newest: () => newest,
    forgetBefore(time) {
      for (const kept of bySource.values()) forgetOf(kept, time);
      if (newest && newest.storedAt < time) newest = undefined;
    },
    clear() {
      bySource.clear();
      newest = undefined;
    },
  };
}

const nameOf = ({ attempt, id }: EndedBuild) => `${attempt}/${id}`;

function forgetOf(kept: Kept, time: number): void {
  const oldest = kept.list.findIndex(({ storedAt }) => storedAt >= time);
  const gone = kept.list.splice(0, oldest < 0 ? kept.list.length : oldest);
  for (const ended of gone) kept.names.delete(nameOf(ended));
  kept.first += gone.length;
}
