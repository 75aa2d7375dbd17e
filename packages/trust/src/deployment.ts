import { ServiceError } from '@mayfly/contracts/errors';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { POLICY_DEFAULTS, type SourcePolicy } from '@mayfly/contracts/policy';
import { policyFaults } from '@mayfly/profiles/policy-faults';
import type { Profile } from '@mayfly/profiles/profile';
import { type PolicyFile, placeOf } from './read-policy.ts';

/** One source of a deployment: what its tokens look like, what it may have, and who issues for it. */
export type Deployment = {
  source: string;
  policy: SourcePolicy;
  profile: Profile;
  /** Undefined where neither `mayfly.yaml` nor the caller says it. */
  issuer: string | undefined;
  /** Where in `mayfly.yaml` the source stands. */
  from: PolicyFile;
};

/** Takes the policy and a source; gives the name of the profile to read. Throws for a source that is not there. */
export function profileName({ file, policy }: PolicyFile, source: string): string {
  const found = Object.hasOwn(policy.sources, source) ? policy.sources[source] : undefined;
  if (!found)
    throw new ServiceError(
      'access_denied',
      `${file} has no source ${source} (it has ${Object.keys(policy.sources).join(', ')}): add it under sources, or correct the event's source`,
    );
  return found.profile ?? POLICY_DEFAULTS.profile;
}

/**
 * Takes the policy, a source, its profile and the issuer if the caller knows it; gives the source's deployment. Throws
 * a ServiceError that names every fault which would stop the issuer from starting, with its line.
 */
export function deploymentOf(
  from: PolicyFile,
  source: string,
  profile: Profile,
  issuer?: string,
): Deployment {
  const name = profileName(from, source);
  const policy = from.policy.sources[source] as SourcePolicy;
  const faults = policyFaults({ ...from.policy, sources: { [source]: policy } }, new Map([[name, profile]]));
  if (faults.length > 0) {
    const told = faults.map(({ at, message }) => {
      const place = placeOf(at);
      return `${from.file}:${from.lineOf(place)}: ${place.join('.')} ${message}`;
    });
    throw new ServiceError('invalid_request', `${told.join('; ')}: correct it, then run this again`);
  }
  if (issuer !== undefined) requireIssuer(issuer);
  const base = from.policy.base_url;
  return { source, policy, profile, issuer: issuer ?? (base && issuerUrl(base, source)), from };
}

/** Takes a deployment; gives its issuer. Throws a ServiceError that says how to tell it. */
export function issuerOf({ issuer, from, source }: Deployment): string {
  if (issuer !== undefined) return issuer;
  throw new ServiceError(
    'invalid_request',
    `${from.file} has no base_url: set it, or give --issuer https://<where jwks-publisher is reached>/${source}`,
  );
}

function requireIssuer(issuer: string): void {
  const url = URL.parse(issuer);
  if (url && /^https?:$/.test(url.protocol) && url.search === '' && url.hash === '' && !/\/$/.test(issuer))
    return;
  throw new ServiceError(
    'invalid_request',
    `${issuer} is no issuer: give --issuer https://<where jwks-publisher is reached>/<source>, without a / at the end`,
  );
}
