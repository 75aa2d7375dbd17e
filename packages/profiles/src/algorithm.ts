import { ServiceError } from '@mayfly/contracts/errors';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import type { Algorithm } from '@mayfly/contracts/signing';
import { matches } from './audience.ts';

/** Takes entries by audience and one audience; gives what is meant for it: the exact entry, or that of the longest prefix. */
export function entryFor<T>(
  entries: Readonly<Record<string, T>> | undefined,
  audience: string,
): T | undefined {
  const fitting = Object.entries(entries ?? {}).filter(([pattern]) => matches(pattern, audience));
  const rank = (pattern: string) => (pattern.endsWith('*') ? pattern.length - 1 : Number.POSITIVE_INFINITY);
  return fitting.sort(([a], [b]) => rank(b) - rank(a))[0]?.[1];
}

/**
 * Takes a source's policy and the audiences of one token; gives its signature algorithm: RS256, which every cloud
 * takes, unless policy says otherwise. Throws a ServiceError (`invalid_target`) for audiences that policy keeps apart.
 */
export function algorithmFor(policy: SourcePolicy, audiences: readonly string[]): Algorithm {
  const wanted = new Set(audiences.map((audience) => entryFor(policy.algorithms, audience) ?? 'RS256'));
  if (wanted.size > 1)
    throw new ServiceError(
      'invalid_target',
      'these audiences take tokens of unlike algorithms; ask for one each',
    );
  return [...wanted][0] ?? 'RS256';
}
