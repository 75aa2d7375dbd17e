import { writeBuildReference } from '@mayfly/contracts/build-reference';
import { durationSeconds } from '@mayfly/contracts/duration';
import type { AdmittedBuild, BuildStarted } from '@mayfly/contracts/events';
import { POLICY_DEFAULTS, type SourcePolicy } from '@mayfly/contracts/policy';
import type { Algorithm } from '@mayfly/contracts/signing';
import { decide, type TokenRequest } from '@mayfly/profiles/decide';
import type { Deployment } from './deployment.ts';

/** The claims of a token, as a relying party reads them. */
export type TokenClaims = Readonly<Record<string, unknown>>;

/** What a build may ask for. */
export type Wish = Pick<
  TokenRequest,
  'audience' | 'lifetimeSeconds' | 'optionalClaims' | 'subjectClaim' | 'awsSessionTags'
>;

const SKEW_SECONDS = 30;
const NO_UUID = '00000000-0000-4000-8000-000000000000';

/** Takes a source's policy, an event and the time (s); gives the build as `build-lifecycle` would admit it then. */
export function admittedBuild(policy: SourcePolicy, event: BuildStarted, now: number): AdmittedBuild {
  const { build, id_tokens } = event.data;
  const allowed = durationSeconds(policy.build_timeout ?? POLICY_DEFAULTS.build_timeout);
  const seconds = Math.min(build.timeout_seconds ?? Number.POSITIVE_INFINITY, allowed);
  return {
    source: event.source,
    build,
    attempt: build.attempt ?? 1,
    ...(id_tokens && { id_tokens }),
    seq: 1,
    digest: '',
    started_at: now * 1000,
    deadline: (now + seconds) * 1000,
  };
}

/**
 * Takes a deployment, an event, a wish and the time (s); gives the token that the build would get, all but the id that
 * differs each time and the place in the status list. Throws the issuer's own ServiceError where it would get none.
 */
export function tokenOf(
  { source, policy, profile, issuer }: Deployment,
  event: BuildStarted,
  wish: Wish,
  now: number,
): { alg: Algorithm; claims: TokenClaims } {
  const admitted = admittedBuild(policy, event, now);
  const { build, attempt } = admitted;
  const jti = `${writeBuildReference({ source, id: build.id, attempt })}.${NO_UUID}`;
  const { alg, claims } = decide(policy, profile, admitted, { ...wish, now, jti, skewSeconds: SKEW_SECONDS });
  return { alg, claims: { ...(issuer !== undefined && { iss: issuer }), ...claims } };
}
