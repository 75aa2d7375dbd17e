import type { ClaimRule } from './profile.ts';
import type { Report } from './report.ts';

/** What a claim says that tells a fork by itself. */
const TELLS = 'derived.fork';

/** The two sides of one comparison that tells a fork: of the repository that runs the build, and that of its code. */
const SIDES: readonly (readonly [string, string])[] = [
  ['repository.id', 'head_repository.id'],
  ['repository.name', 'head_repository.name'],
];

/**
 * Takes the name of a profile's fork claim, if it has one, and its claims; reports one by which nobody could tell a
 * fork's build from another.
 */
export function reportFork(name: string | undefined, claims: readonly ClaimRule[], report: Report): void {
  if (name === undefined) return;
  const rule = claims.find((one) => one.name === name);
  const path = rule && pathOf(rule);
  const against = SIDES.find((pair) => pair.some((side) => side === path))?.find((side) => side !== path);
  const tells =
    path === TELLS || (against !== undefined && claims.some((other) => pathOf(other) === against));
  if (!rule) report(['fork_claim'], 'must name one of the claims');
  else if (!tells)
    report(
      ['fork_claim'],
      `${name} tells no fork: it must be made from derived.fork, or be the id or name of repository or head_repository beside a claim of the other's`,
    );
}

/** What a claim is made from, where that is one fact and nothing stands in for it. */
function pathOf({ source, absent }: ClaimRule): string | undefined {
  return source.kind === 'facts' && source.paths.length === 1 && absent === undefined
    ? source.paths[0]
    : undefined;
}
