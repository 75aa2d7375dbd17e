import { type BuildReader, runningBuild } from '@mayfly/build-store/reader';
import { type BuildReference, writeBuildReference } from '@mayfly/contracts/build-reference';
import { ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { decide, type TokenRequest } from '@mayfly/profiles/decide';
import type { Profile } from '@mayfly/profiles/profile';
import type { Signer } from './signer.ts';

/** What issuing needs: the builds, the policy and profile of each source, who signs, the time (s) and new ids. */
export type Issuer = {
  builds: Pick<BuildReader, 'find'>;
  sources: ReadonlyMap<string, { policy: SourcePolicy; profile: Profile }>;
  signer: Signer;
  now(): number;
  newId(): string;
};

/** What a runner or a CI may ask for. */
export type Wish = Pick<
  TokenRequest,
  'audience' | 'lifetimeSeconds' | 'optionalClaims' | 'subjectClaim' | 'awsSessionTags'
>;

/** An issued ID token, and when it expires (s since 1970). */
export type Issued = { token: string; jti: string; audience: unknown; expiresAt: number };

/** How far `nbf` lies before `iat` where the profile does not say: the skew that is allowed for, seconds. */
const SKEW_SECONDS = 30;

/**
 * Issues an ID token for a build that was found running: decides by policy and profile what it says, and has it signed.
 * Throws a ServiceError that says what is allowed, or `temporarily_unavailable`.
 */
export async function issueToken(build: AdmittedBuild, wish: Wish, issuer: Issuer): Promise<Issued> {
  const source = issuer.sources.get(build.source);
  if (!source) throw new ServiceError('access_denied', 'the source is not in mayfly.yaml');
  const { source: name, build: facts, attempt } = build;
  const jti = `${writeBuildReference({ source: name, id: facts.id, attempt })}.${issuer.newId()}`;
  const request = { ...wish, now: issuer.now(), jti, skewSeconds: SKEW_SECONDS };
  const toSign = decide(source.policy, source.profile, build, request);
  const token = await issuer.signer.sign(toSign);
  return { token, jti, audience: toSign.claims['aud'], expiresAt: toSign.claims['exp'] as number };
}

/** Takes a build's names; gives the build if it runs now, undefined if not. Throws `temporarily_unavailable`. */
export async function findRunning(
  reference: BuildReference,
  { builds }: Issuer,
): Promise<AdmittedBuild | undefined> {
  return runningBuild(await builds.find(reference), reference.attempt);
}
