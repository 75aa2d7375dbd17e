import { type ErrorCode, ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import { POLICY_DEFAULTS, type SourcePolicy } from '@mayfly/contracts/policy';
import type { IdTokenToSign } from '@mayfly/contracts/signing';
import { algorithmFor } from './algorithm.ts';
import { audiencesFor, checkedAudience, expandAudience, matches } from './audience.ts';
import { idTokenClaims } from './claims.ts';
import { factsOf } from './facts.ts';
import { isFork } from './fork.ts';
import { lifetimeFor } from './lifetime.ts';
import type { ClaimRule, Profile } from './profile.ts';
import { subjectLimit } from './subject-limit.ts';
import { renderTemplate } from './template.ts';

/** What a runner or a CI asks for, and what the issuer knows when it does. */
export type TokenRequest = {
  /** The profile's default audience if left out. */
  audience?: string | string[];
  lifetimeSeconds?: number;
  optionalClaims?: readonly string[];
  subjectClaim?: string;
  awsSessionTags?: readonly string[];
  now: number;
  jti: string;
  skewSeconds: number;
  /** How many tokens the build has had. */
  issued?: number;
};

/** What is to be signed, and its claims as JSON. */
export type Decision = IdTokenToSign & { json: string };

/**
 * Takes a source's policy and profile, an admitted build and a request; gives what to sign. Throws a ServiceError that
 * says what is allowed: `access_denied` for a build that may have nothing, `invalid_target` for the audience (RFC 8707
 * §2), `invalid_request` for the rest.
 */
export function decide(
  policy: SourcePolicy,
  profile: Profile,
  admitted: AdmittedBuild,
  request: TokenRequest,
): Decision {
  checkBuild(policy, admitted, request.issued ?? 0);
  const { audience, all } = audienceFor(policy, profile, admitted, request.audience);
  const alg = algorithmFor(policy, all);
  const lifetimeSeconds = lifetimeFor(policy, request.lifetimeSeconds);
  checkWishes(policy, profile, request);
  const { now, jti, skewSeconds, optionalClaims, awsSessionTags } = request;
  const subjectClaim = request.subjectClaim ?? policy.subject;
  const maxSubjectBytes = subjectLimit(policy, all);
  const claims = idTokenClaims(profile, admitted, {
    ...{ audience, now, jti, skewSeconds, lifetimeSeconds },
    ...(optionalClaims && { optionalClaims }),
    ...(awsSessionTags && { awsSessionTags }),
    ...(subjectClaim !== undefined && { subjectClaim }),
    ...(maxSubjectBytes !== undefined && { maxSubjectBytes }),
  });
  const json = JSON.stringify(claims);
  checkSize(claims, json);
  if (isFork(admitted.build) && (profile.forkClaim === undefined || claims[profile.forkClaim] === undefined))
    throw new ServiceError(
      'invalid_request',
      'build does not say enough of its fork for a claim that tells it',
    );
  return { source: admitted.source, alg, claims, json };
}

function checkBuild(policy: SourcePolicy, { build }: AdmittedBuild, issued: number): void {
  if (isFork(build) && (policy.forks ?? POLICY_DEFAULTS.forks) === 'deny')
    throw new ServiceError('access_denied', 'builds of forks get no tokens from this source');
  checkBudget(policy, issued);
}

/** Takes a source's policy and how many tokens a build has had. Throws `access_denied` where it may have no more. */
export function checkBudget({ max_tokens }: SourcePolicy, issued: number): void {
  const most = max_tokens ?? POLICY_DEFAULTS.max_tokens;
  if (issued >= most)
    throw new ServiceError('access_denied', `a build of this source may have ${most} tokens`);
}

function audienceFor(
  policy: SourcePolicy,
  profile: Profile,
  admitted: AdmittedBuild,
  asked: string | string[] | undefined,
): { audience: string | string[]; all: string[] } {
  const allowed = audiencesFor(policy, admitted.build);
  const wanted = asked ?? defaultAudience(profile, admitted);
  if (wanted === undefined || wanted.length === 0) refuse('invalid_target', 'audience is missing', allowed);
  // What the profile makes of facts is not read again for variables.
  const all =
    asked === undefined
      ? [wanted].flat().map(checkedAudience)
      : [asked].flat().map((text) => expandAudience(text, admitted.build));
  for (const one of all) {
    if (!allowed.some((pattern) => matches(pattern, one)))
      refuse('invalid_target', 'audience is not allowed', allowed);
  }
  const unique = [...new Set(all)];
  return { audience: typeof wanted === 'string' ? (all[0] as string) : unique, all: unique };
}

function defaultAudience({ audience }: Profile, admitted: AdmittedBuild): string | undefined {
  return audience.default && renderTemplate(audience.default, factsOf(admitted));
}

function checkWishes(policy: SourcePolicy, profile: Profile, request: TokenRequest): void {
  const { claims, optionalClaims, subject, sessionTags } = profile;
  const names = (rules: readonly ClaimRule[]) => rules.map(({ name }) => name);
  const optional = () => policy.optional_claims ?? names(optionalClaims);
  const subjects = () => policy.subject_claims ?? subject.requestable;
  const tags = () => (sessionTags ? (policy.session_tags ?? names([...claims, ...optionalClaims])) : []);

  checkEach(request.optionalClaims ?? [], optional, 'optional claim is not allowed');
  checkEach([request.subjectClaim ?? []].flat(), subjects, 'subject_claim is not allowed');
  checkEach(request.awsSessionTags ?? [], tags, 'session tag is not allowed');
}

function checkEach(asked: readonly string[], list: () => readonly string[], message: string): void {
  if (asked.length === 0) return;
  const allowed = list();
  for (const name of asked) {
    if (!allowed.some((pattern) => matches(pattern, name))) refuse('invalid_request', message, allowed);
  }
}

/** What of MAX_TOKEN_BYTES is left for claims by the header, the longest signature, `iss` and `status`. */
const MOST_CLAIMS_BYTES = 5000;

function checkSize(claims: Record<string, unknown>, json: string): void {
  // No sign has more than three bytes a code unit.
  if (json.length * 3 <= MOST_CLAIMS_BYTES || Buffer.byteLength(json) <= MOST_CLAIMS_BYTES) return;
  const size = (name: string) => Buffer.byteLength(JSON.stringify(claims[name]));
  const [first, second] = Object.keys(claims).sort((a, b) => size(b) - size(a));
  const most = `claims have ${Buffer.byteLength(json)} bytes and may have ${MOST_CLAIMS_BYTES}`;
  throw new ServiceError('invalid_request', `${most}; longest of them: ${first}, ${second}`);
}

const MOST_SHOWN = 50;

function refuse(code: ErrorCode, message: string, allowed: readonly string[]): never {
  const shown = allowed.slice(0, MOST_SHOWN).join(', ');
  const more = allowed.length > MOST_SHOWN ? ` and ${allowed.length - MOST_SHOWN} more` : '';
  throw new ServiceError(code, `${message}; allowed: ${shown || 'none'}${more}`);
}
