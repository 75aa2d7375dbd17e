/** What came of asking so many times a second: how long each answer took from when it was due (ms), and each status. */
export type Paced = { latencies: number[]; statuses: Map<number, number> };

/** Asks so many times a second, whether or not the answers come; gives the latencies, from when each was due. */
export async function paced(
  perSecond: number,
  seconds: number,
  act: (index: number) => Promise<{ status: number }>,
): Promise<Paced> {
  const started = performance.now();
  const latencies: number[] = [];
  const statuses = new Map<number, number>();
  const underWay: Promise<void>[] = [];
  for (let index = 0; index < perSecond * seconds; ) {
    const due = Math.min(perSecond * seconds, Math.floor(((performance.now() - started) / 1000) * perSecond));
    for (; index < due; index++) {
      const at = started + (index * 1000) / perSecond;
      underWay.push(
        act(index).then(({ status }) => {
          latencies.push(performance.now() - at);
          statuses.set(status, (statuses.get(status) ?? 0) + 1);
        }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(underWay);
  return { latencies, statuses };
}

/** The latency that this share of the answers did not exceed, ms. */
export function quantile({ latencies }: Paced, share: number): number {
  const sorted = latencies.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** One line of what was measured. */
export function describe(measured: Paced): string {
  const at = (share: number) => quantile(measured, share).toFixed(1);
  const counts = [...measured.statuses].map(([status, count]) => `${count} × ${status}`).join(', ');
  return `p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms (${counts})`;
}

/** The one in the middle. */
export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

/** Without the slowest tenth, which is the machine's own noise. */
export function trimmed(values: number[]): number[] {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.slice(0, Math.floor(sorted.length * 0.9));
}

/** Welch's t of two samples. */
export function welch(a: number[], b: number[]): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const error = (values: number[]) => {
    const center = mean(values);
    return (
      values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1) / values.length
    );
  };
  return (mean(a) - mean(b)) / Math.sqrt(error(a) + error(b));
}
