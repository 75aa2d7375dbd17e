import { ServiceError } from '@mayfly/contracts/errors';
import { type Kind, perBuild } from './kind-of-build.ts';

/** Takes a kind and who takes whole subjects only; throws a ServiceError where the subject differs from build to build. */
export function requireLastingSubject(kind: Kind, who: string): void {
  const paths = perBuild(kind);
  if (paths.length === 0) return;
  throw new ServiceError(
    'invalid_request',
    `the subject holds ${paths.join(', ')}, which no two builds share, and ${who} compares whole subjects: ${otherSubject(kind)}`,
  );
}

/** Takes a kind; throws a ServiceError where nothing in its subject outlasts a build, so that a pattern would take every one. */
export function requireLastingPart(kind: Kind): void {
  const paths = perBuild(kind);
  if (kind.parts.some(({ path }) => path !== undefined && !paths.includes(path)) || paths.length === 0)
    return;
  throw new ServiceError(
    'invalid_request',
    `the subject holds nothing but ${paths.join(', ')}, which no two builds share: ${otherSubject(kind)}`,
  );
}

/** Takes a kind, who takes it, and the longest subject in what unit; throws a ServiceError for one that is longer. */
export function requireShortSubject(
  kind: Kind,
  who: string,
  longest: number,
  unit: 'bytes' | 'characters',
): void {
  const size = unit === 'bytes' ? Buffer.byteLength(kind.subject) : [...kind.subject].length;
  if (size <= longest) return;
  throw new ServiceError(
    'invalid_request',
    `the subject has ${size} ${unit} and ${who} takes ${longest}: ${otherSubject(kind)}`,
  );
}

/** Takes a kind; says how to get another subject. */
export function otherSubject({ profile, source }: Kind): string {
  const { requestable, alternates } = profile.subject;
  if (requestable.length > 0)
    return `ask for another with --subject-claim ${requestable.join(' or ')}, or set sources.${source}.subject in mayfly.yaml`;
  const names = [...alternates.keys()].filter((name) => name !== profile.subject.default);
  return names.length > 0
    ? `set sources.${source}.subject in mayfly.yaml to ${names.join(' or ')}`
    : `the profile ${profile.name} has no other: copy it, give it one, and name it in mayfly.yaml`;
}
