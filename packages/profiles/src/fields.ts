import { Build } from '@mayfly/contracts/build';

/** What a fact of a build is: its kind of value, and who decides it. */
export type Field = {
  kind: 'text' | 'whole' | 'flag' | 'map' | 'list';
  trust: 'trusted' | 'user-controlled';
};

type Schema = {
  type?: string;
  properties?: Record<string, Schema>;
  'x-trust'?: Field['trust'];
};

const KINDS: Record<string, Field['kind']> = {
  string: 'text',
  integer: 'whole',
  boolean: 'flag',
  object: 'map',
  array: 'list',
};

const trusted = (kind: Field['kind']): Field => ({ kind, trust: 'trusted' });
const free = (kind: Field['kind']): Field => ({ kind, trust: 'user-controlled' });

/** Facts that are worked out of a build: see `facts.ts`. */
const DERIVED: [string, Field][] = [
  ['source', trusted('text')],
  ['derived.owner_name', trusted('text')],
  ['derived.short_name', trusted('text')],
  ['derived.fork', trusted('flag')],
  ['derived.ref_name', free('text')],
  ['derived.ref_type', trusted('text')],
  ['derived.branch', free('text')],
  ['derived.tag', free('text')],
  ['derived.image_name', free('text')],
  ['derived.image_tag', free('text')],
  ['derived.instance', free('text')],
  ['derived.job_workflow_ref', free('text')],
  ['derived.job_workflow_sha', trusted('text')],
];

/**
 * Every fact that a profile may name, by its path: the fields of the build, `source`, `head_repository.*` (the
 * fork's repository, or the build's own where there is no fork), `runs_as.*` (the account that a workload runs as, or
 * the actor) and `derived.*`.
 */
export const FIELDS: ReadonlyMap<string, Field> = new Map([
  ...leaves(Build as Schema, ''),
  ...leaves(Build.properties.repository as Schema, 'head_repository.'),
  ...leaves(Build.properties.actor as Schema, 'runs_as.'),
  ...DERIVED,
]);

function leaves(schema: Schema, prefix: string): [string, Field][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]): [string, Field][] => {
    if (inner.properties) return leaves(inner, `${prefix}${name}.`);
    const kind = KINDS[inner.type ?? ''];
    if (!kind) throw new TypeError(`field ${prefix}${name} is of no known kind`);
    return [[`${prefix}${name}`, { kind, trust: inner['x-trust'] ?? 'user-controlled' }]];
  });
}

/** What a CI must send for a fact, where the fact has another name than the field that it is worked out of. */
const SENT_AS: Readonly<Record<string, string>> = {
  'derived.owner_name': 'repository.owner.name',
  'derived.short_name': 'repository.name',
  'derived.ref_name': 'ref',
  'derived.ref_type': 'ref_type',
  'derived.branch': 'branch',
  'derived.tag': 'ref',
  'derived.image_name': 'step.image',
  'derived.image_tag': 'step.image',
  'derived.instance': 'pipeline.instance_vars',
  'derived.job_workflow_ref': 'workflow.ref',
  'derived.job_workflow_sha': 'workflow.sha',
};

/** Takes the path of a fact; gives the field of the build that a person would look for. */
export function fieldName(path: string): string {
  return SENT_AS[path] ?? path.replace(/^head_repository\./, 'repository.').replace(/^runs_as\./, 'actor.');
}
