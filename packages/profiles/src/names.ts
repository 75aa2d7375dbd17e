import { createHash } from 'node:crypto';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { LONGEST_NAME, type NameKind } from '@mayfly/contracts/seen-names-schema';
import { type Facts, factsOf } from './facts.ts';
import type { ClaimRule, Profile, SubjectForm } from './profile.ts';
import { pathsOf } from './template.ts';

/** A name that tokens of a build say, and the immutable id that the build gives with it, if it gives one. */
export type SaidName = { kind: NameKind; name: string; id: string | undefined };

/** Which facts are a name and its id, and within which other names that name is one. */
export type WatchedName = { kind: NameKind; name: string; id: string; within: readonly string[] };

type Pair = readonly [kind: NameKind, name: string, id: string, within?: readonly string[]];

/** Names that relying parties read in claims: one of each in a source, or within what is said. */
const NAMES: readonly Pair[] = [
  ['enterprise', 'enterprise.name', 'enterprise.id'],
  ['organization', 'organization.name', 'organization.id'],
  ['owner', 'derived.owner_name', 'repository.owner.id'],
  ['owner', 'head_repository.owner.name', 'head_repository.owner.id'],
  ['repository', 'repository.name', 'repository.id'],
  ['repository', 'head_repository.name', 'head_repository.id'],
  ['person', 'actor.login', 'actor.id'],
  ['person', 'runs_as.login', 'runs_as.id'],
  ['person', 'workload.on_behalf_of.login', 'workload.on_behalf_of.id'],
  ['cluster', 'cluster.name', 'cluster.id', ['organization.name']],
];

/** Names that people give freely, several to one thing: watched where a subject is made of one without its id. */
const SUBJECT_NAMES: readonly Pair[] = [
  ['pipeline', 'pipeline.name', 'pipeline.id'],
  ['workflow', 'workflow.name', 'workflow.id'],
  ['project', 'project.name', 'project.id'],
  ['environment', 'environment.name', 'environment.id'],
];

/** Facts that hold a name, or a part of one, under another path. */
const HOLDS: Readonly<Record<string, string>> = {
  'derived.short_name': 'repository.name',
  'repository.owner.name': 'derived.owner_name',
  'repository.short_name': 'repository.name',
};

/** Takes a source's policy and profile; gives the names that its tokens say, which must not pass from one to another. */
export function watchedNames(policy: SourcePolicy, profile: Profile): WatchedName[] {
  const { claims, optionalClaims, subject } = profile;
  const inUse = [policy.subject ?? subject.default, ...(policy.subject_claims ?? subject.requestable)];
  const forms = inUse.flatMap((name) => subject.alternates.get(name) ?? []).map(formPaths);
  const said = new Set([...[...claims, ...optionalClaims].flatMap(claimPaths), ...forms.flat()]);
  // Who has the name of a repository may have these audiences, whatever tokens say.
  for (const pattern of Object.keys(policy.repository_audiences ?? {})) {
    if (!pattern.startsWith('id:')) said.add('repository.name');
    if (!pattern.startsWith('id:') && pattern.endsWith('*')) said.add('derived.owner_name');
  }
  return [
    ...NAMES.filter(([, name]) => said.has(name)).map(([kind, name, id, within = []]) => ({
      kind,
      name,
      id,
      within,
    })),
    ...SUBJECT_NAMES.flatMap((pair) => forms.flatMap((paths) => inSubject(pair, paths))),
  ];
}

/** A name in a subject is one among those that stand with it. */
function inSubject([kind, name, id]: Pair, paths: readonly string[]): WatchedName[] {
  if (!paths.includes(name) || paths.includes(id)) return [];
  return [{ kind, name, id, within: around(kind, paths).filter((path) => path !== name) }];
}

/** An environment is its repository's or workflow's own, however the subject says which; others may be known by less. */
function around(kind: NameKind, paths: readonly string[]): string[] {
  const isOfRepository = paths.some((path) => path.startsWith('repository.'));
  if (kind === 'environment' && isOfRepository) return ['repository.name'];
  const named = ['organization.name', 'repository.name', 'head_repository.name', 'project.name'];
  return [...named, ...(kind === 'environment' ? ['workflow.id'] : [])].filter((path) =>
    paths.includes(path),
  );
}

const known = new WeakMap<AdmittedBuild, { watched: readonly WatchedName[]; names: readonly SaidName[] }>();

/**
 * Takes what is watched and a build; gives each name that its tokens say, once for each id that it comes with. Worked out
 * once a build.
 */
export function namesOf(watched: readonly WatchedName[], admitted: AdmittedBuild): readonly SaidName[] {
  const there = known.get(admitted);
  if (there?.watched === watched) return there.names;
  const names = workOut(watched, admitted);
  known.set(admitted, { watched, names });
  return names;
}

function workOut(watched: readonly WatchedName[], admitted: AdmittedBuild): SaidName[] {
  const facts = factsOf(admitted);
  const said = watched.flatMap((one) => saidName(one, facts));
  const distinct = new Map(said.map((one) => [JSON.stringify(one), one]));
  // Where a build says a name twice and its id once, it is the same.
  const hasId = new Set(said.filter(({ id }) => id !== undefined).map(({ kind, name }) => `${kind} ${name}`));
  return [...distinct.values()].filter(
    ({ kind, name, id }) => id !== undefined || !hasId.has(`${kind} ${name}`),
  );
}

function saidName({ kind, name, id, within }: WatchedName, facts: Facts): SaidName[] {
  const own = facts(name);
  if (own === undefined) return [];
  const around = within.map((path) => String(facts(path) ?? ''));
  // Concourse has many pipelines of one name, told apart by their instance variables.
  const instance = kind === 'pipeline' ? [facts('derived.instance') ?? []].flat() : [];
  const parts = [...around, String(own)];
  const isWhole = parts.length === 1 && kind !== 'pipeline';
  const plain = isWhole ? String(own) : parts.map(escaped).join('/');
  const text = [plain, ...instance.map((vars) => instanceName(String(vars), plain.length))].join('/');
  const stated = facts(id);
  return [{ kind, name: text, id: stated === undefined ? undefined : String(stated) }];
}

/** Instance variables are as long as anybody makes them: where no name could hold them, their digest stands there. */
function instanceName(vars: string, before: number): string {
  const text = escaped(vars);
  if (before + 1 + text.length <= LONGEST_NAME) return text;
  return `sha256:${createHash('sha256').update(vars).digest('hex')}`;
}

const escaped = (text: string) => text.replaceAll('%', '%25').replaceAll('/', '%2F');

function formPaths({ components }: SubjectForm): string[] {
  return pathsOf(components.map(({ pieces }) => pieces)).map(nameOf);
}

function claimPaths({ source }: ClaimRule): string[] {
  if (source.kind === 'facts') return source.paths.map(nameOf);
  if (source.kind === 'template') return pathsOf(source.template).map(nameOf);
  return source.kind === 'members' ? source.members.map(([, path]) => nameOf(path)) : [];
}

const nameOf = (path: string) => HOLDS[path] ?? path;
