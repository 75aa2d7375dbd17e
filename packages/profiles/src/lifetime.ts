import { durationSeconds } from '@mayfly/contracts/duration';
import { ServiceError } from '@mayfly/contracts/errors';
import { POLICY_DEFAULTS, type SourcePolicy } from '@mayfly/contracts/policy';

/** Shortest lifetime that can be asked for, seconds: less is gone before it is used. */
export const SHORTEST_LIFETIME_SECONDS = 10;

/** Takes a source's policy; gives the lifetime of a token for which none is asked, and the longest, in seconds. */
export function lifetimesOf({ lifetime, max_lifetime }: SourcePolicy): { usual: number; longest: number } {
  const usual = durationSeconds(lifetime ?? POLICY_DEFAULTS.lifetime);
  return { usual, longest: max_lifetime === undefined ? usual : durationSeconds(max_lifetime) };
}

/**
 * Takes a source's policy and the lifetime that is asked, if one is; gives the token's lifetime, seconds. Throws a
 * ServiceError (`invalid_request`) that says which lifetimes are allowed.
 */
export function lifetimeFor(policy: SourcePolicy, asked?: number): number {
  const { usual, longest } = lifetimesOf(policy);
  if (asked === undefined) return usual;
  if (!Number.isSafeInteger(asked) || asked < SHORTEST_LIFETIME_SECONDS || asked > longest)
    throw new ServiceError(
      'invalid_request',
      `lifetime must be a whole number of seconds from ${SHORTEST_LIFETIME_SECONDS} to ${longest}`,
    );
  return asked;
}
