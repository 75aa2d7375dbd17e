import type { Build } from '@mayfly/contracts/build';
import type { BuildStarted } from '@mayfly/contracts/events';
import type { Deployment } from './deployment.ts';
import { type TokenClaims, tokenOf, type Wish } from './token-of.ts';

/** A build that is nearly the same, and its token; undefined where such a build gets none. */
export type NearMiss = {
  name: string;
  claims: TokenClaims | undefined;
  /** What in it no build of the source has; its own subject in another case is nobody's at all. */
  isForged?: 'issuer' | 'audience' | 'subject';
};

type Change = (build: Build) => Build | undefined;

/**
 * Takes a deployment, an event, a wish and the time (s); gives the tokens of builds that are nearly the same, which a
 * policy for exactly this kind of build must refuse. A fork's is there even where `mayfly.yaml` denies it: policies
 * outlive each other.
 */
export function nearMisses(deployment: Deployment, event: BuildStarted, wish: Wish, now: number): NearMiss[] {
  const own = claimsOr(deployment, event, wish, now);
  if (!own) return [];
  const lenient = deployment.profile.forkClaim
    ? { ...deployment, policy: { ...deployment.policy, forks: 'allow' as const } }
    : deployment;
  const changed = Object.entries(CHANGES).flatMap(([name, change]): NearMiss[] => {
    const build = change(event.data.build);
    if (!build) return [];
    return [{ name, claims: claimsOr(lenient, { ...event, data: { ...event.data, build } }, wish, now) }];
  });
  return [...changed, ...forged(own)];
}

function claimsOr(deployment: Deployment, event: BuildStarted, wish: Wish, now: number) {
  try {
    return tokenOf(deployment, event, wish, now).claims;
  } catch {
    return undefined;
  }
}

const CHANGES: Readonly<Record<string, Change>> = {
  'another branch': (build) => onRef(build, () => 'refs/heads/elsewhere'),
  'a branch whose name begins the same': (build) => onRef(build, (ref) => `${ref}-2`),
  'a branch whose name differs by case': (build) => onRef(build, swapCase),
  'a tag called like the branch': (build) =>
    build.ref?.startsWith('refs/heads/') ? onRef(build, (ref) => ref.replace('heads', 'tags')) : undefined,
  'a branch called like the tag': (build) =>
    build.ref?.startsWith('refs/tags/') ? onRef(build, (ref) => ref.replace('tags', 'heads')) : undefined,
  'another repository of the same owner': (build) =>
    onRepository(build, (repository) => ({
      ...repository,
      ...ids(repository),
      name: `${repository.name}-2`,
    })),
  'a repository that takes the name again': (build) =>
    onRepository(build, (repository) => ({ ...repository, ...ids(repository) })),
  'a fork': ({ source_repository, fork, ...build }) =>
    !build.repository || source_repository || fork
      ? undefined
      : { ...build, fork: true, source_repository: { id: '666', name: 'mallory/fork', owner: MALLORY } },
  'another pipeline': (build) =>
    build.repository || !build.pipeline
      ? undefined
      : { ...build, pipeline: { ...build.pipeline, id: '666', name: `${build.pipeline.name ?? 'p'}-2` } },
  'another workflow': (build) =>
    build.workflow?.id
      ? { ...build, workflow: { ...build.workflow, id: `${build.workflow.id}x` } }
      : undefined,
  'another environment': (build) =>
    build.environment?.name
      ? { ...build, environment: { ...build.environment, name: 'elsewhere' } }
      : undefined,
};

const MALLORY = { id: '667', name: 'mallory' };

function onRef({ head_ref, ...build }: Build, change: (ref: string) => string): Build | undefined {
  if (!build.ref) return undefined;
  const ref = change(build.ref);
  const short = ref.replace(/^refs\/(heads|tags)\//, '');
  const type = /^refs\/(heads|tags)\//.exec(ref)?.[1];
  return {
    ...build,
    ref,
    ...(build.ref_type && type && { ref_type: type === 'tags' ? 'tag' : 'branch' }),
    ...(build.branch !== undefined && { branch: short }),
    ...(head_ref !== undefined && { head_ref: short }),
  };
}

type Repository = NonNullable<Build['repository']>;

function onRepository(build: Build, change: (repository: Repository) => Repository): Build | undefined {
  if (!build.repository) return undefined;
  const repository = change(build.repository);
  const { source_repository: from } = build;
  return { ...build, repository, ...(from && { source_repository: change(from) }) };
}

function ids({ id, owner }: Repository): Pick<Repository, 'id' | 'owner'> {
  return { ...(id !== undefined && { id: `${id}9` }), ...(owner && { owner }) };
}

/** What a build cannot be, but a token of somebody else can. */
function forged(own: TokenClaims): NearMiss[] {
  const several = Array.isArray(own['aud']);
  const aud = several ? ['https://elsewhere.example'] : 'https://elsewhere.example';
  const iss = String(own['iss']).replace(/[^/]*$/, 'other');
  const sub = swapCase(String(own['sub']));
  return [
    { name: 'another source', claims: { ...own, iss }, isForged: 'issuer' },
    { name: 'another issuer', claims: { ...own, iss: 'https://issuer.evil.example/ci' }, isForged: 'issuer' },
    { name: 'another audience', claims: { ...own, aud }, isForged: 'audience' },
    { name: 'a subject that differs by case', claims: { ...own, sub }, isForged: 'subject' },
  ];
}

function swapCase(text: string): string {
  const upper = text.toUpperCase();
  const swapped = text.replace(/[^/:]*$/, (last) => last.toUpperCase());
  if (swapped !== text) return swapped;
  return upper === text ? text.toLowerCase() : upper;
}
