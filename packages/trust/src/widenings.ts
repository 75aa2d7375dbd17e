import { trustOf } from './claim-origins.ts';
import type { Kind } from './kind-of-build.ts';
import type { NearMiss } from './near-misses.ts';
import { openPaths } from './patterns.ts';
import type { TokenClaims } from './token-of.ts';
import type { Opening, Trust, Widening } from './trust.ts';

/** A change to a policy, who of those it was tried on gets in by it that did not before, and both in words. */
export type TriedWidening = { change: string; admits: string; tried: string[] };

/**
 * Takes a kind, its trust and builds that are nearly the same; gives the changes that admit any of them, each with all
 * whom it admits. For each build it is the least change: claims that cover each other are left out together.
 */
export function triedWidenings(
  kind: Kind,
  trust: Trust,
  others: readonly NearMiss[],
  more: readonly Widening[] = [],
): TriedWidening[] {
  const refused = others.filter(
    ({ claims, isForged }) => claims && isForged !== 'subject' && trust.judge(claims).admitted === false,
  );
  const loosen = remembering(trust.loosen);
  const openings = new Map<string, Opening>();
  for (const { claims, isForged } of refused)
    if (claims && !isForged)
      for (const opening of leastOpenings(kind, trust.held, loosen, claims))
        openings.set(keyOf(opening), opening);
  const found = [...openings.values()].flatMap((opening) => {
    const widening = loosen(opening);
    return widening ? [tried(widening, refused, isFree(kind, opening))] : [];
  });
  const rest = [...trust.widen, ...more].map((widening) => tried(widening, refused, false));
  return [...found, ...rest].filter((one) => one.tried.length > 0);
}

/** Takes a change and builds that were refused; gives the change with whom of them it admits. */
function tried({ change, judge }: Widening, refused: readonly NearMiss[], free: boolean): TriedWidening {
  const names = refused.flatMap(({ name, claims }) =>
    claims && judge(claims).admitted !== false ? [name] : [],
  );
  const decided = free ? '; whoever can push or name something decides that' : '';
  return { change, admits: `${names.join(', ')}${decided}`, tried: names };
}

/**
 * The fewest facts of the subject to open so that a token is admitted, none if that does, each way there is; and the
 * fewest claims to leave out with them.
 */
function leastOpenings(
  kind: Kind,
  held: readonly string[],
  loosen: Trust['loosen'],
  claims: TokenClaims,
): Opening[] {
  const admits = (opening: Opening) => loosen(opening)?.judge(claims).admitted === true;
  const least = (paths: readonly string[]): Opening[] => {
    let opening: Opening = { paths, without: held };
    if (!admits(opening)) return [];
    for (const claim of held) {
      const fewer = { ...opening, without: opening.without.filter((one) => one !== claim) };
      if (admits(fewer)) opening = fewer;
    }
    return [opening];
  };
  const open = openPaths(kind);
  const pairs = open.flatMap((one, index) => open.slice(index + 1).map((other) => [one, other]));
  for (const choices of [[[]], open.map((one) => [one]), pairs]) {
    const found = choices.flatMap(least);
    if (found.length > 0) return found;
  }
  return [];
}

/** A policy is made and read once, however many builds it is tried on. */
function remembering(loosen: Trust['loosen']): Trust['loosen'] {
  const made = new Map<string, Widening | undefined>();
  return (opening) => {
    const key = keyOf(opening);
    if (!made.has(key)) made.set(key, loosen(opening));
    return made.get(key);
  };
}

function keyOf({ paths, without }: Opening): string {
  return [...paths, '', ...without].join(' ');
}

function isFree({ parts, pins }: Kind, { paths, without }: Opening): boolean {
  const claimed = pins.flatMap((pin) => (without.includes(pin.claim) ? [pin.path] : []));
  return (
    parts.some(({ path, trust }) => paths.includes(path ?? '') && trust === 'user-controlled') ||
    claimed.some((one) => trustOf(one) === 'user-controlled')
  );
}
