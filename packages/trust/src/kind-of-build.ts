import { ServiceError } from '@mayfly/contracts/errors';
import type { BuildStarted } from '@mayfly/contracts/events';
import type { Algorithm } from '@mayfly/contracts/signing';
import { claimValue } from '@mayfly/profiles/claim-value';
import { type Facts, factsOf } from '@mayfly/profiles/facts';
import type { ClaimRule, Profile } from '@mayfly/profiles/profile';
import { ruleNamed } from '@mayfly/profiles/rule-named';
import { pathsOfRule } from './claim-origins.ts';
import { type Deployment, issuerOf } from './deployment.ts';
import { keyFor, lineIn } from './explain-policy.ts';
import { tokenOrNext } from './next-step.ts';
import { type SubjectPart, subjectParts } from './subject-parts.ts';
import { admittedBuild, type TokenClaims, type Wish } from './token-of.ts';

/** A claim that a policy holds fast beside `sub`, and the fact that it is made from. */
export type Pin = { claim: string; value: string; path: string };

/** What all builds of one kind have in common in their tokens, and what differs from build to build. */
export type Kind = {
  source: string;
  issuer: string;
  audience: string;
  /** What the tokens are signed with, and the place in `mayfly.yaml` that says so. */
  algorithm: { name: Algorithm; place: string };
  subject: string;
  parts: readonly SubjectPart[];
  pins: readonly Pin[];
  claims: TokenClaims;
  profile: Profile;
  /** Says whether a claim is made from what no two builds share. */
  isPerBuild(claim: string): boolean;
};

/** Facts that no two builds share. */
export const PER_BUILD: ReadonlySet<string> = new Set([
  ...['id', 'number', 'attempt', 'sha', 'url', 'started_at', 'job.id', 'job.check_run_id', 'step.id'],
  ...['execution.id', 'execution.retry_of', 'agent.id', 'agent.name', 'runner.id', 'runner.name'],
]);

type Candidate = { path: string; unless?: readonly string[] };

/** What makes the kind, weightiest first: each is held fast unless `sub` or an earlier one does so already. */
const CANDIDATES: readonly Candidate[] = [
  { path: 'repository.id' },
  { path: 'repository.name', unless: ['repository.id'] },
  { path: 'derived.fork', unless: ['source_repository.id'] },
  { path: 'head_repository.id', unless: ['derived.fork'] },
  { path: 'ref' },
  { path: 'derived.ref_name', unless: ['ref'] },
  { path: 'derived.ref_type', unless: ['ref'] },
  { path: 'branch', unless: ['ref', 'derived.ref_name'] },
  { path: 'derived.branch', unless: ['ref', 'derived.ref_name', 'branch'] },
  { path: 'derived.tag', unless: ['ref', 'derived.ref_name'] },
  {
    path: 'organization.id',
    unless: ['repository.id'],
  },
  {
    path: 'pipeline.id',
    unless: ['repository.id', 'repository.name'],
  },
  {
    path: 'pipeline.name',
    unless: ['pipeline.id', 'repository.id', 'repository.name'],
  },
  { path: 'workflow.id' },
  { path: 'project.id', unless: ['workflow.id'] },
  { path: 'environment.name' },
];

/**
 * Takes a deployment, an event, a wish and the time (s); gives what a relying party can hold fast to admit exactly
 * this kind of build. Throws the issuer's own ServiceError where the build would get no token.
 */
export function kindOf(deployment: Deployment, event: BuildStarted, wish: Wish, now: number): Kind {
  const issuer = issuerOf(deployment);
  const { alg, claims } = tokenOrNext(deployment, event, wish, now);
  const { profile, policy, source } = deployment;
  const facts = factsOf(admittedBuild(policy, event, now));
  const { alternate, parts } = subjectParts(profile, facts, wish.subjectClaim ?? policy.subject);
  return {
    ...{
      source,
      issuer,
      audience: audienceOf(claims),
      algorithm: { name: alg, place: algorithmPlace(deployment, audienceOf(claims)) },
      subject: String(claims['sub']),
      parts,
      claims,
      profile,
      isPerBuild: (claim: string) => isMadePerBuild(profile, claim, facts),
    },
    pins: pinsOf(profile, facts, claims, [
      ...pathsOf(parts),
      ...(tellsForks(profile, alternate) ? ['derived.fork'] : []),
    ]),
  };
}

/** Takes a kind; gives the facts in its subject that differ from build to build. */
export function perBuild({ parts }: Kind): string[] {
  return parts.flatMap(({ path }) => (path !== undefined && PER_BUILD.has(path) ? [path] : []));
}

/** Of several facts that a claim may be made from, the one that is there says it; where none is, any may be next time. */
function isMadePerBuild({ claims, optionalClaims }: Profile, claim: string, facts: Facts): boolean {
  const rule = ruleNamed([...claims, ...optionalClaims], claim);
  if (!rule) return false;
  const held = pathHeld(rule, facts);
  return (held === undefined ? pathsOfRule(rule) : [held]).some((path) => PER_BUILD.has(path));
}

function algorithmPlace(deployment: Deployment, audience: string): string {
  const { file } = deployment.from;
  const line = lineIn(deployment)('algorithms', keyFor(deployment, 'algorithms', audience) ?? '');
  return line === undefined ? file : `${file}:${line}`;
}

function audienceOf({ aud }: TokenClaims): string {
  const all = [aud].flat();
  if (all.length === 1) return String(all[0]);
  throw new ServiceError(
    'invalid_target',
    'a token for several audiences suits no policy: name one with --audience',
  );
}

function pathsOf(parts: readonly SubjectPart[]): string[] {
  return parts.flatMap(({ path }) => path ?? []);
}

/** A subject that has a form of its own for forks tells them without another claim. */
function tellsForks({ subject }: Profile, alternate: string): boolean {
  const pieces = (subject.alternates.get(alternate) ?? []).flatMap(({ components }) => components);
  return pieces.some((component) =>
    component.pieces.some((piece) => 'path' in piece && piece.path === 'source_repository.id'),
  );
}

function pinsOf(profile: Profile, facts: Facts, claims: TokenClaims, inSubject: readonly string[]): Pin[] {
  const held = new Set(inSubject);
  const isStable = (path: string) => path !== 'pipeline.id' || namesPipelines(profile);
  const pins: Pin[] = [];
  for (const { path, unless = [] } of CANDIDATES) {
    if (!isStable(path) || [path, ...unless].some((one) => held.has(one))) continue;
    const rule = profile.claims.concat(profile.optionalClaims).find((one) => pathHeld(one, facts) === path);
    const value = rule && claims[rule.name];
    if (rule === undefined || !isPlain(value) || String(claimValue(rule, facts)) !== String(value)) continue;
    held.add(path);
    pins.push({ claim: rule.name, value: String(value), path });
  }
  return pins;
}

/** A profile that makes subjects of pipelines means lasting ones; to others a pipeline is one run (GitLab). */
export function namesPipelines({ subject }: Profile): boolean {
  const pieces = [...subject.alternates.values()].flat().flatMap(({ components }) => components);
  return pieces.some((component) =>
    component.pieces.some((piece) => 'path' in piece && piece.path.startsWith('pipeline.')),
  );
}

function pathHeld({ source }: ClaimRule, facts: Facts): string | undefined {
  return source.kind === 'facts' ? source.paths.find((path) => facts(path) !== undefined) : undefined;
}

function isPlain(value: unknown): value is string | number | boolean {
  return ['string', 'number', 'boolean'].includes(typeof value) && value !== '';
}
