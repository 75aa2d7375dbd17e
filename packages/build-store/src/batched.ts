type Waiting<T, R> = { item: T; resolve(result: R): void; reject(error: unknown): void };

/**
 * Takes what does several things in one step, and how many at most; gives what does one. All that is asked for in one turn
 * of the event loop goes together, after the turn. `act` gives a result for each item, in order; where it throws, all fail.
 */
export function batched<T, R>(
  most: number,
  act: (items: readonly T[]) => Promise<readonly R[]>,
): (item: T) => Promise<R> {
  let waiting: Waiting<T, R>[] = [];
  const doBatch = async (batch: readonly Waiting<T, R>[]) => {
    try {
      const results = await act(batch.map(({ item }) => item));
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as R);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const doAll = () => {
    const all = waiting;
    waiting = [];
    for (let from = 0; from < all.length; from += most) void doBatch(all.slice(from, from + most));
  };
  return (item) =>
    new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(doAll);
      waiting.push({ item, resolve, reject });
    });
}
