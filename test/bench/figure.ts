/** What several rounds gave: the median, the lowest and the highest. */
export type Spread = { median: number; low: number; high: number };

/** The bound that a figure is held to. */
export type Aim = { atLeast: number } | { atMost: number };

/** One measured thing: a value, what it is compared with in the same rounds, and the aim, if there is one. */
export type Figure = {
  what: string;
  unit: string;
  value: Spread;
  /** What it stands beside, measured in the same rounds, and the ratio to it, round by round. */
  beside?: { name: string; value: Spread; ratio: Spread };
  /** Holds for the ratio where there is one, else for the value. */
  aim?: Aim;
  note?: string;
};

/** A plot of the report: bars, the percentiles of latencies, or one that is drawn already. */
export type Plot =
  | { kind: 'drawn'; title: string; svg: string }
  | { kind: 'bars'; title: string; unit: string; bars: { name: string; value: Spread; isOurs: boolean }[] }
  | { kind: 'latency'; title: string; lines: { name: string; latencies: number[]; isOurs: boolean }[] };

/** What one case of the benchmark gives. */
export type Section = {
  name: string;
  title: string;
  text: string[];
  figures: Figure[];
  plots: Plot[];
  /** When it was measured, and how much of the cores others took meanwhile, 0 to 1. */
  measured?: { when: string; others: number };
};

/** Gives the median of values and how far they spread. */
export function spread(values: readonly number[]): Spread {
  return { median: percentile(values, 0.5), low: Math.min(...values), high: Math.max(...values) };
}

/** Gives the value below which this part of the values lies. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Makes a figure of what alternating rounds gave, ours beside theirs. */
export function compared(
  what: string,
  unit: string,
  name: string,
  rounds: readonly { ours: number; theirs: number }[],
  aim?: Aim,
): Figure {
  const beside = {
    name,
    value: spread(rounds.map(({ theirs }) => theirs)),
    ratio: spread(rounds.map(({ ours, theirs }) => ours / theirs)),
  };
  return { what, unit, value: spread(rounds.map(({ ours }) => ours)), beside, ...(aim ? { aim } : {}) };
}

/** Makes a figure that stands alone. */
export function alone(what: string, unit: string, values: readonly number[], aim?: Aim): Figure {
  return { what, unit, value: spread(values), ...(aim ? { aim } : {}) };
}

/** Says whether a figure meets its aim; undefined where it has none. */
export function meets({ value, beside, aim }: Figure): boolean | undefined {
  if (!aim) return undefined;
  const held = (beside?.ratio ?? value).median;
  return 'atLeast' in aim ? held >= aim.atLeast : held <= aim.atMost;
}
