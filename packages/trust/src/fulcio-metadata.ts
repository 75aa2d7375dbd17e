import type { ClaimRule, Profile } from '@mayfly/profiles/profile';
import { pathsOfRule } from './claim-origins.ts';
import type { FulcioMetadata } from './fulcio-evaluate.ts';
import type { Kind } from './kind-of-build.ts';

/** Facts and the extension of a certificate that holds each (Fulcio's oid-info). */
const EXTENSIONS: readonly (readonly [string, readonly string[]])[] = [
  ['build-signer-digest', ['job.workflow_sha', 'derived.job_workflow_sha', 'configuration.sha']],
  ['runner-environment', ['runner.environment']],
  ['source-repository-digest', ['sha']],
  ['source-repository-ref', ['ref']],
  ['source-repository-identifier', ['repository.id']],
  ['source-repository-owner-identifier', ['repository.owner.id']],
  ['source-repository-visibility-at-signing', ['repository.visibility']],
  ['build-config-digest', ['configuration.sha', 'workflow.sha']],
  ['build-trigger', ['event']],
  ['run-invocation-uri', ['url']],
  ['deployment-environment', ['environment.name']],
];

/** Extensions that are the address of something that a claim names: its file and ref, its repository. */
const ADDRESSES: readonly (readonly [string, readonly string[]])[] = [
  ['build-signer-uri', ['derived.job_workflow_ref', 'configuration.ref']],
  ['source-repository-uri', ['repository.name', 'head_repository.name']],
  [
    'source-repository-owner-uri',
    ['derived.owner_name', 'repository.owner.name', 'head_repository.owner.name'],
  ],
  ['build-config-uri', ['configuration.ref', 'workflow.ref']],
];

/** Addresses of what a name alone tells: a name may look as if it began with a host. */
const NAMES: ReadonlySet<string> = new Set(['source-repository-uri', 'source-repository-owner-uri']);

/** What the public Fulcio demands of a CI system, and the field of a build that holds it. */
const DEMANDED: readonly (readonly [string, string])[] = [
  ['build-signer-uri', 'configuration.ref'],
  ['runner-environment', 'runner.environment'],
];

/** Takes a kind; gives what Fulcio is told of its CI system, with the pins but those that are left out. */
export function metadataOf({ profile, pins, claims }: Kind, without: readonly string[] = []): FulcioMetadata {
  const extensions: Record<string, string> = {};
  const defaults: Record<string, string> = {};
  const each = (list: typeof EXTENSIONS, write: (claim: string, extension: string) => string) => {
    for (const [extension, paths] of list) {
      const rule = ruleFor(profile, paths);
      if (!rule) continue;
      extensions[extension] = write(rule.name, extension);
      if (!rule.required && rule.absent === undefined) defaults[rule.name] = '';
    }
  };
  each(ADDRESSES, (claim, extension) => {
    if (!NAMES.has(extension) && /^[^/]+\.[^/]+\//.test(String(claims[claim] ?? '')))
      return `https://${fieldOf(claim)}`;
    defaults['url'] = 'https://GIT.EXAMPLE.COM';
    return `{{ .url }}/${fieldOf(claim)}`;
  });
  each(EXTENSIONS, (claim) => claim);
  const held = pins
    .filter(({ claim }) => !without.includes(claim))
    .map(({ claim }) => `${claim}=${fieldOf(claim)}`)
    .join(';');
  return {
    'default-template-values': defaults,
    'extension-templates': extensions,
    'subject-alternative-name-template': `{{ .iss }}/{{ .sub }}${held && `#${held}`}`,
  };
}

/**
 * Takes a kind; gives each extension that the public Fulcio demands and a certificate of this build would not have,
 * and what would fill it.
 */
export function lackingExtensions({ profile, claims }: Kind): string[] {
  return DEMANDED.flatMap(([extension, field]) => {
    const paths = [...ADDRESSES, ...EXTENSIONS].find(([name]) => name === extension)?.[1] ?? [];
    const rule = ruleFor(profile, paths);
    if (!rule) return [`${extension} (give the profile ${profile.name} a claim from ${field})`];
    const isThere = claims[rule.name] !== undefined && claims[rule.name] !== '';
    return isThere ? [] : [`${extension} (have the CI send ${sentField(rule)})`];
  });
}

/** The field of an event from which a claim is made. */
function sentField(rule: ClaimRule): string {
  return pathsOfRule(rule)
    .map((path) => (path === 'derived.job_workflow_ref' ? 'job.workflow_ref' : path))
    .join(' or ');
}

function ruleFor({ claims }: Profile, paths: readonly string[]): ClaimRule | undefined {
  return claims.find((one) => one.type === 'string' && pathsOfRule(one).some((path) => paths.includes(path)));
}

function fieldOf(claim: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(claim) ? `{{ .${claim} }}` : `{{ index . "${claim}" }}`;
}
