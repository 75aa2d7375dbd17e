/** What a paced load gave: latencies from when each was due (ms), and how late the generator itself was. */
export type Paced = { latencies: number[]; lateness: number[]; failed: number };

/**
 * Acts so many times a second, whether or not what was begun is done: a system that stalls is not waited for. Latency
 * counts from when each act was due. An act that gives false has failed.
 */
export async function pace(
  perSecond: number,
  seconds: number,
  act: (index: number) => Promise<boolean>,
): Promise<Paced> {
  const total = Math.round(perSecond * seconds);
  const result: Paced = { latencies: [], lateness: [], failed: 0 };
  const underWay: Promise<void>[] = [];
  const started = performance.now();
  const dueAt = (index: number) => started + (index * 1000) / perSecond;
  const begin = (index: number) => {
    const due = dueAt(index);
    result.lateness.push(performance.now() - due);
    const done = (isGood: boolean) => {
      result.latencies.push(performance.now() - due);
      if (!isGood) result.failed += 1;
    };
    underWay.push(act(index).then(done, () => done(false)));
  };
  for (let index = 0; index < total; ) {
    for (; index < total && dueAt(index) <= performance.now(); index++) begin(index);
    // No sooner than there is something to do: each time that it wakes it takes from what it measures.
    const waitMs = Math.max(1, Math.ceil(dueAt(index) - performance.now()));
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  await Promise.all(underWay);
  return result;
}

/** Keeps so many acts under way for some seconds; gives how many were done a second, and the latency of each (ms). */
export async function saturate(
  inFlight: number,
  seconds: number,
  act: () => Promise<boolean>,
): Promise<{ perSecond: number; latencies: number[]; failed: number }> {
  const latencies: number[] = [];
  let failed = 0;
  const started = performance.now();
  const until = started + seconds * 1000;
  const work = async () => {
    for (let from = performance.now(); from < until; from = performance.now()) {
      if (!(await act().catch(() => false))) failed += 1;
      else latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return { perSecond: (latencies.length * 1000) / (performance.now() - started), latencies, failed };
}
