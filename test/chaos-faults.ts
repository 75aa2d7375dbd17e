import type { TcpProxy } from './proxy.ts';
import { pick } from './random.ts';
import type { TestSystem } from './system.ts';

/** What can be done to a system: how it begins and ends, and until when it has to last, where time alone does not say. */
export type Trouble = {
  what: string;
  begin(): Promise<void>;
  end(): Promise<void>;
  hasDone?(): Promise<boolean>;
};

/** One fault: what was done to which part, and when (ms of the driver's monotonic clock); `wholeAt` is when nothing was left of it. */
export type Fault = { what: string; from: number; to: number; wholeAt: number };

/** A system that trouble is made for: `next` chooses it, `isWhole` says whether all is there again. */
export type Engine = {
  system: TestSystem;
  next(random: () => number): Promise<Trouble>;
  isWhole(): Promise<boolean>;
};

const LONGEST_MS = 120_000;

/** Makes the next trouble for half a second to two seconds, or until it has done what it is for; gives what it was, once all is up again. */
export async function doFault({ next, isWhole }: Engine, random: () => number): Promise<Fault> {
  const trouble = await next(random);
  const lastsMs = 500 + random() * 1500;
  const from = performance.now();
  await trouble.begin();
  await pause(lastsMs);
  if (trouble.hasDone) await untilTrue(trouble.hasDone, trouble.what);
  await trouble.end();
  const to = performance.now();
  await untilTrue(isWhole, `whole system after ${trouble.what}`);
  return { what: trouble.what, from, to, wholeAt: performance.now() };
}

/** Gives what `kill -9`, or a pause, is to one part. */
export function partTrouble(system: TestSystem, kind: 'kill' | 'pause', part: string): Trouble {
  return kind === 'kill'
    ? { what: `kill ${part}`, begin: () => system.kill(part), end: () => system.start(part) }
    : { what: `pause ${part}`, begin: () => system.pause(part), end: () => system.resume(part) };
}

/** Gives what a cut, or a network that lets nothing through, is to some ways at once. */
export function wayTrouble(kind: 'cut' | 'freeze', way: string, proxies: TcpProxy[]): Trouble {
  return {
    what: `${kind} ${way}`,
    async begin() {
      for (const proxy of proxies) proxy[kind]();
    },
    async end() {
      for (const proxy of proxies) proxy.mend();
    },
  };
}

/** Gives trouble for any one part, or any one way. */
export function anyTrouble(
  system: TestSystem,
  parts: readonly string[],
  ways: Record<string, TcpProxy[]>,
  random: () => number,
): Trouble {
  const names = Object.keys(ways);
  const kind = pick(['kill', 'pause', ...(names.length > 0 ? ['cut', 'freeze'] : [])] as const, random);
  if (kind === 'kill' || kind === 'pause') return partTrouble(system, kind, pick(parts, random));
  const way = pick(names, random);
  return wayTrouble(kind as 'cut' | 'freeze', way, ways[way] as TcpProxy[]);
}

/** Waits until a check says so; one that fails says no. */
export async function untilTrue(check: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + LONGEST_MS;
  while (!(await check().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`still no ${what} after ${LONGEST_MS / 1000} s`);
    await pause(50);
  }
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
