import { introspectOnce } from './relying-party.ts';
import type { TestSystem } from './system.ts';

/** What a replica of the publisher says of a token: `unknown` is any answer that is neither yes nor no. */
export type Said = 'active' | 'inactive' | 'unknown';

/** Asks one replica of the publisher about a token. */
export async function said(system: TestSystem, at: string, token: string): Promise<Said> {
  try {
    const { status, body } = await introspectOnce(system, token, { at });
    if (status !== 200) return 'unknown';
    return body['active'] === true ? 'active' : 'inactive';
  } catch {
    return 'unknown';
  }
}

/** How an end came to be known, ms after it was acknowledged: the last yes of any replica, and when all said no. */
export type Ending = { lastYesMs: number; allNoMs: number };

/** Asks these replicas about the token of a build whose end was just acknowledged, until all of them say no. */
export async function watchEnding(
  system: TestSystem,
  publishers: readonly string[],
  token: string,
): Promise<Ending> {
  const from = performance.now();
  let open = publishers;
  let lastYesMs = 0;
  while (open.length > 0) {
    const askedMs = performance.now() - from;
    const answers = await Promise.all(open.map((at) => said(system, at, token)));
    if (answers.includes('active')) lastYesMs = askedMs;
    open = open.filter((_, index) => answers[index] !== 'inactive');
    if (open.length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { lastYesMs, allNoMs: performance.now() - from };
}

/** Gives the value below which this share of the values lies; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
