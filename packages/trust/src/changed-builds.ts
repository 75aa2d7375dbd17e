import type { Build } from '@mayfly/contracts/build';
import { PER_BUILD } from './kind-of-build.ts';

/** Takes a build; gives it with one thing changed, undefined where it has no such thing. */
export type Change = (build: Build) => Build | undefined;

/** Builds that a policy for exactly one kind must refuse, each by what it has otherwise. */
export const CHANGES: Readonly<Record<string, Change>> = {
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
  'a pipeline that takes the name again': (build) =>
    build.repository || !build.pipeline?.id
      ? undefined
      : { ...build, pipeline: { ...build.pipeline, id: `${build.pipeline.id}9` } },
  'an organization that takes the name again': (build) =>
    build.repository || !build.organization?.id
      ? undefined
      : { ...build, organization: { ...build.organization, id: `${build.organization.id}9` } },
  'another workflow': (build) =>
    build.workflow?.id
      ? { ...build, workflow: { ...build.workflow, id: `${build.workflow.id}x` } }
      : undefined,
  'another environment': (build) =>
    build.environment?.name
      ? { ...build, environment: { ...build.environment, name: 'elsewhere' } }
      : undefined,
};

/** Builds of the same code at another time or place, which a policy may let in with it: that is to be known. */
export const SAME_KIND: Readonly<Record<string, Change>> = {
  'another job': ({ job, ...build }) =>
    job?.name
      ? { ...build, job: { ...job, ...(job.id && { id: `${job.id}9` }), name: `${job.name}-2` } }
      : undefined,
  'another step': ({ step, ...build }) =>
    step?.key ? { ...build, step: { ...step, key: `${step.key}-2` } } : undefined,
  'another pipeline of the repository': (build) =>
    build.repository && build.pipeline?.name
      ? {
          ...build,
          pipeline: {
            ...build.pipeline,
            ...(build.pipeline.id && { id: `${build.pipeline.id}9` }),
            name: `${build.pipeline.name}-2`,
          },
        }
      : undefined,
  'another instance of the pipeline': (build) =>
    build.repository || !build.pipeline
      ? undefined
      : { ...build, pipeline: { ...build.pipeline, instance_vars: { elsewhere: true } } },
  'another event, such as a schedule': (build) =>
    build.event ? { ...build, event: build.event === 'schedule' ? 'push' : 'schedule' } : undefined,
  'a pull or merge request of the same ref': (build) =>
    build.event && build.ref && !/(pull|merge)_request/.test(build.event)
      ? { ...build, event: 'pull_request' }
      : undefined,
  'a build for an environment': (build) =>
    build.environment?.name || !build.repository
      ? undefined
      : { ...build, environment: { name: 'elsewhere' } },
};

/** The build that every policy must let in with it: all that no two builds share is another. */
export const NEXT: Readonly<Record<string, Change>> = {
  'the next build': (build) => {
    const next = structuredClone(build);
    for (const path of PER_BUILD) countUp(next, path.split('.'));
    return next;
  },
};

/** Changes what is there at a path: the last digit of text, or its last sign where it has none. */
function countUp(at: Record<string, unknown>, [name = '', ...rest]: string[]): void {
  const value = at[name];
  if (value instanceof Object) countUp(value as Record<string, unknown>, rest);
  if (typeof value === 'number') at[name] = value + 1;
  if (typeof value === 'string') at[name] = otherText(value);
}

function otherText(text: string): string {
  const counted = text.replace(/\d(?=\D*$)/, (digit) => String((Number(digit) + 1) % 10));
  return counted === text ? text.replace(/.$/, '1') : counted;
}

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

/** Takes text; gives it with the last of its names in another case. */
export function swapCase(text: string): string {
  const upper = text.toUpperCase();
  const swapped = text.replace(/[^/:]*$/, (last) => last.toUpperCase());
  if (swapped !== text) return swapped;
  return upper === text ? text.toLowerCase() : upper;
}
