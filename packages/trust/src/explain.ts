import type { BuildStarted } from '@mayfly/contracts/events';
import { factsOf } from '@mayfly/profiles/facts';
import { isFork } from '@mayfly/profiles/fork';
import type { Deployment } from './deployment.ts';
import { type AudienceVerdict, explainAudience } from './explain-audience.ts';
import { type ExplainedClaim, explainClaims, leftOut } from './explain-claims.ts';
import { explainPolicy, type PolicyLine } from './explain-policy.ts';
import { type SubjectParts, subjectParts } from './subject-parts.ts';
import { admittedBuild, tokenOf, type Wish } from './token-of.ts';

/** What a build would get, and why. */
export type Explanation = {
  file: string;
  source: string;
  profile: string;
  build: { id: string; attempt: number; fork: boolean; deadline_seconds: number };
  audiences: AudienceVerdict[];
  policy: PolicyLine[];
  /** The token for the first audience that is allowed; none where none is. */
  token?: {
    alg: string;
    claims: ExplainedClaim[];
    left_out: { claim: string; fields: string[] }[];
    subject: SubjectParts & { value: string };
  };
  /** The tokens for the other audiences that are allowed: what is otherwise in each. */
  more_tokens: { audience: AudienceVerdict['audience']; alg: string; claims: ExplainedClaim[] }[];
};

/**
 * Takes a deployment, an event, what is asked for and the time (s); gives what the build would get. Without an audience
 * these are the audiences that the build declares, or all that policy allows it by name.
 */
export function explain(deployment: Deployment, event: BuildStarted, wish: Wish, now: number): Explanation {
  const { profile, policy, source, from } = deployment;
  const admitted = admittedBuild(policy, event, now);
  const audiences = wishes(deployment, event, wish).map(({ declared, ...one }) => ({
    wish: one,
    verdict: { ...(declared !== undefined && { declared }), ...explainAudience(deployment, event, one, now) },
  }));
  const first = audiences.find(({ verdict }) => verdict.allowed) ?? audiences[0];
  const shown = first?.verdict.allowed ? tokenFor(deployment, event, first.wish, now) : undefined;
  const rest = audiences.filter((one) => one !== first && one.verdict.allowed);
  const all = audiences.flatMap(({ wish: { audience = [] } }) => audience);
  return {
    file: from.file,
    source,
    profile: profile.name,
    build: {
      id: admitted.build.id,
      attempt: admitted.attempt,
      fork: isFork(admitted.build),
      deadline_seconds: admitted.deadline / 1000 - now,
    },
    audiences: audiences.map(({ verdict }) => verdict),
    policy: explainPolicy(deployment, event, { ...wish, audience: [...new Set(all)] }),
    ...(shown && { token: shown }),
    more_tokens: rest.map((one) => {
      const { alg, claims } = tokenFor(deployment, event, one.wish, now);
      return { audience: one.verdict.audience, alg, claims: otherwise(claims, shown?.claims ?? []) };
    }),
  };
}

/** The issuer adds it when it has the token signed. */
const STATUS: ExplainedClaim = {
  claim: 'status',
  value: 'known when the build is on record',
  from: "the issuer: the build's place in its status list",
  fields: [],
  trust: 'trusted',
};

function otherwise(claims: readonly ExplainedClaim[], first: readonly ExplainedClaim[]): ExplainedClaim[] {
  const shown = new Map(first.map(({ claim, value }) => [claim, JSON.stringify(value)]));
  return claims.filter(({ claim, value }) => shown.get(claim) !== JSON.stringify(value));
}

function tokenFor(
  deployment: Deployment,
  event: BuildStarted,
  wish: Wish,
  now: number,
): NonNullable<Explanation['token']> {
  const { profile, policy } = deployment;
  const { alg, claims } = tokenOf(deployment, event, wish, now);
  const facts = factsOf(admittedBuild(policy, event, now));
  const subject = subjectParts(profile, facts, wish.subjectClaim ?? policy.subject);
  return {
    alg,
    claims: [...explainClaims(deployment, facts, claims), STATUS],
    left_out: leftOut(profile, claims),
    subject: { value: String(claims['sub']), ...subject },
  };
}

function wishes(
  { policy, profile }: Deployment,
  { data }: BuildStarted,
  wish: Wish,
): (Wish & { declared?: string })[] {
  if (wish.audience !== undefined) return [wish.audience].flat().map((audience) => ({ ...wish, audience }));
  const declared = Object.entries(data.id_tokens ?? {});
  if (declared.length > 0)
    return declared.map(([name, { aud }]) => ({ ...wish, audience: aud, declared: name }));
  const named = policy.audiences.filter((audience) => !audience.endsWith('*'));
  if (profile.audience.default !== undefined || named.length === 0) return [wish];
  return named.map((audience) => ({ ...wish, audience }));
}
