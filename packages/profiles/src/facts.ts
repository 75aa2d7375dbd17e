import type { Build } from '@mayfly/contracts/build';
import type { AdmittedBuild } from '@mayfly/contracts/events';
import { isFork } from './fork.ts';
import { instanceText } from './instance.ts';

/** Gives the fact at a path, or undefined where the build does not hold it; empty text and empty maps are not held. */
export type Facts = (path: string) => unknown;

const known = new WeakMap<AdmittedBuild, Facts>();

/** Takes an admitted build; gives its facts: what its CI said, and what follows from that alone. Worked out once a build. */
export function factsOf(admitted: AdmittedBuild): Facts {
  const there = known.get(admitted);
  if (there) return there;
  const facts = workOut(admitted);
  known.set(admitted, facts);
  return facts;
}

function workOut(admitted: AdmittedBuild): Facts {
  const { build } = admitted;
  const root = {
    ...build,
    attempt: admitted.attempt,
    source: admitted.source,
    // Each whole: never the name of one beside the id of another.
    head_repository: build.source_repository ?? (isFork(build) ? undefined : build.repository),
    runs_as: build.workload?.user ?? build.actor,
    derived: derived(build),
  };
  return (path) => {
    const value = at(root, path);
    return isHeld(value) ? value : undefined;
  };
}

function isHeld(value: unknown): boolean {
  if (typeof value !== 'object' || Array.isArray(value)) return value !== '';
  return value !== null && Object.keys(value).length > 0;
}

/** The names in each path that was asked for: as many as profiles have. */
const namesIn = new Map<string, readonly string[]>();

function namesOf(path: string): readonly string[] {
  const there = namesIn.get(path);
  if (there) return there;
  const names = path.split('.');
  namesIn.set(path, names);
  return names;
}

function at(root: unknown, path: string): unknown {
  let value = root;
  for (const name of namesOf(path)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function derived(build: Build): Record<string, unknown> {
  let instance: string | undefined;
  const name = build.repository?.name ?? '';
  const slash = name.lastIndexOf('/');
  return {
    ...refFacts(build.ref ?? '', build.ref_type),
    ...workflowFacts(build),
    ...imageFacts(build.step?.image ?? ''),
    owner_name: build.repository?.owner?.name ?? name.slice(0, Math.max(slash, 0)),
    short_name: build.repository?.short_name ?? name.slice(slash + 1),
    fork: isFork(build),
    // Few profiles ask for it, and it is the longest to work out.
    get instance() {
      instance ??= instanceText(build.pipeline?.instance_vars ?? {});
      return instance;
    },
  };
}

function refFacts(ref: string, stated: string | undefined): Record<string, string | undefined> {
  const match = /^refs\/(heads|tags)\/(.+)$/.exec(ref);
  if (!match) return { ref_name: ref, ref_type: stated };
  const type = match[1] === 'tags' ? 'tag' : 'branch';
  const rest = match[2] as string;
  // A branch that is itself called refs/… keeps its whole ref, so that it cannot pass for that other ref.
  const short = rest.startsWith('refs/') ? ref : rest;
  return { ref_name: short, ref_type: type, [type]: short };
}

function workflowFacts({ job, workflow }: Build): Record<string, string | undefined> {
  if (job?.workflow_ref) return { job_workflow_ref: job.workflow_ref, job_workflow_sha: job.workflow_sha };
  return { job_workflow_ref: workflow?.ref, job_workflow_sha: workflow?.sha };
}

function imageFacts(image: string): Record<string, string> {
  const name = image.split('@')[0] as string;
  const colon = name.lastIndexOf(':');
  if (colon <= name.lastIndexOf('/')) return { image_name: name };
  return { image_name: name.slice(0, colon), image_tag: name.slice(colon + 1) };
}
