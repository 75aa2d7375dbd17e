/** Who hears a feed now: only so many, and from each network no more than its share once all places are taken. */
export type FeedPlaces = {
  /**
   * Takes a place for a listener of a network; gives what leaves it, undefined where there is none. With all taken, the
   * latest of the network that has most has to go, if that still leaves it no fewer than this one then has.
   */
  take(network: string, sendAway: () => void): (() => void) | undefined;
  taken(): number;
  /** Sends everyone away. */
  close(): void;
};

type Place = { network: string; sendAway(): void };

/** Gives so many places. */
export function feedPlaces(max: number): FeedPlaces {
  const byNetwork = new Map<string, Set<Place>>();
  let taken = 0;
  const leave = (place: Place) => {
    const places = byNetwork.get(place.network);
    if (!places?.delete(place)) return;
    taken -= 1;
    if (places.size === 0) byNetwork.delete(place.network);
  };
  const makeRoom = (network: string): boolean => {
    if (taken < max) return true;
    const own = byNetwork.get(network)?.size ?? 0;
    const most = [...byNetwork.values()].reduce((a, b) => (b.size > a.size ? b : a));
    const last = [...most].at(-1);
    if (!last || most.size <= own + 1) return false;
    leave(last);
    last.sendAway();
    return true;
  };
  return {
    take(network, sendAway) {
      if (!makeRoom(network)) return undefined;
      const place = { network, sendAway };
      byNetwork.set(network, (byNetwork.get(network) ?? new Set()).add(place));
      taken += 1;
      return () => leave(place);
    },
    taken: () => taken,
    close() {
      for (const places of [...byNetwork.values()]) for (const place of [...places]) place.sendAway();
    },
  };
}
