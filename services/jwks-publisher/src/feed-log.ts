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

/** The ends that a relying party may still have to know of. */
export type FeedLog = {
  /** Takes an end in; says whether it is one that was not there. */
  add(ended: EndedBuild): boolean;
  /** The ends of a source, oldest first. */
  of(source: string): EndedBuild[];
  /** The newest end of any source. */
  newest(): EndedBuild | undefined;
  /** Forgets the ends that were stored before then (ms). */
  forgetBefore(time: number): void;
  clear(): void;
};

/** Gives a log with nothing in it. Ends are to be added in the order of their sequences. */
export function feedLog(): FeedLog {
  const bySource = new Map<string, Map<string, EndedBuild>>();
  let newest: EndedBuild | undefined;
  return {
    add(ended) {
      newest = ended;
      const ends = bySource.get(ended.source) ?? new Map<string, EndedBuild>();
      bySource.set(ended.source, ends);
      const name = `${ended.attempt}/${ended.id}`;
      if (ends.has(name)) return false;
      ends.set(name, ended);
      return true;
    },
    of: (source) => [...(bySource.get(source)?.values() ?? [])],
    newest: () => newest,
    forgetBefore(time) {
      for (const ends of bySource.values()) {
        for (const [name, { storedAt }] of ends) {
          if (storedAt >= time) break;
          ends.delete(name);
        }
      }
      if (newest && newest.storedAt < time) newest = undefined;
    },
    clear() {
      bySource.clear();
      newest = undefined;
    },
  };
}
