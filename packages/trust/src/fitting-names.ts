import { ServiceError } from '@mayfly/contracts/errors';
import type { TrustNames } from './trust.ts';

/** What a relying party takes as a name: how that reads, and as a pattern. */
export type NameRule = { says: string; fits: RegExp };

/** Takes names as they were given; throws a ServiceError for one that is empty. */
export function requireNoneEmpty(names: TrustNames): void {
  const empty = Object.entries(names).find(([, name]) => name.trim() === '');
  if (empty)
    throw new ServiceError(
      'invalid_request',
      `--${empty[0]} is empty: give the name, or leave --${empty[0]} out`,
    );
}

/** Takes an option, the name given for it, and what it must be; gives the name. Throws a ServiceError for another. */
export function fittingName(option: keyof TrustNames, name: string, { says, fits }: NameRule): string {
  if (fits.test(name)) return name;
  throw new ServiceError('invalid_request', `${name} is no ${says}: give another with --${option}`);
}

/** Takes a source and what a name must be; gives the source's name, or a longer one where that does not fit. */
export function defaultName(source: string, { fits }: NameRule): string {
  return fits.test(source) ? source : `mayfly-${source}`.slice(0, 32);
}
