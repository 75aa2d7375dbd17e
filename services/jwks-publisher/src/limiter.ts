/** Bounds how often something may be done by each of many callers: a token bucket a caller. */
export type Limiter = {
  /** Says whether the caller has anything left. */
  hasLeft(caller: string): boolean;
  /** Counts one, down to nothing left. */
  count(caller: string): void;
};

type Bucket = { left: number; at: number };

const MAX_CALLERS = 10_000;

/** Takes how much a caller has at once and regains a second, and a clock (ms); gives the limiter. Forgets who was longest not seen. */
export function limiter(burst: number, perSecond: number, now: () => number): Limiter {
  const buckets = new Map<string, Bucket>();
  const leftOf = (caller: string): number => {
    const bucket = buckets.get(caller);
    if (!bucket) return burst;
    return Math.min(burst, bucket.left + ((now() - bucket.at) / 1000) * perSecond);
  };
  return {
    hasLeft: (caller) => leftOf(caller) >= 1,
    count(caller) {
      const left = Math.max(leftOf(caller) - 1, 0);
      buckets.delete(caller);
      buckets.set(caller, { left, at: now() });
      if (buckets.size > MAX_CALLERS) buckets.delete(buckets.keys().next().value as string);
    },
  };
}
