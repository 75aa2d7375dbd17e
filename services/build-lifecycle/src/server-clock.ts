/** The time by JetStream, so that this machine's clock matters to no build. */
export type ServerClock = {
  /** Gives the time, ms since 1970. */
  now(): number;
  /** Takes the time that JetStream has just told, ms. */
  hear(time: number): void;
};

/**
 * Takes a monotonic clock and this machine's own (ms); gives the time that was heard last, carried on by the first. Until
 * anything was heard it is this machine's.
 */
export function serverClock(monotonic: () => number, wall: () => number): ServerClock {
  let heard: { time: number; at: number } | undefined;
  return {
    now: () => (heard ? Math.round(heard.time + monotonic() - heard.at) : wall()),
    hear(time) {
      heard = { time, at: monotonic() };
    },
  };
}
