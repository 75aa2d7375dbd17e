import type { TokenKnowledge } from './policy-warning.ts';

/** A part of a subject: the value of a fact, or text that stands between two. */
export type KnownPart = NonNullable<TokenKnowledge['parts']>[number];

/** Words of subjects, and the fact whose value follows each. */
const WORDS: Readonly<Record<string, string>> = {
  repo: 'repository.name',
  project_path: 'repository.name',
  project_id: 'repository.id',
  fork: 'source_repository.id',
  organization: 'organization.name',
  pipeline: 'pipeline.name',
  workflow: 'workflow.id',
  project: 'project.id',
  commit: 'sha',
  ref: 'ref',
  ref_type: 'ref_type',
  pull_request: 'ref',
  environment: 'environment.name',
  job: 'job.name',
  step: 'step.key',
  event: 'event',
};
const FREE = new Set(['ref', 'environment.name', 'job.name', 'step.key', 'event']);

/** Takes a subject, or a pattern of some, of which the event is not known; guesses its parts by its words, as in `repo:octo/hello:ref:refs/heads/main`. */
export function guessedParts(subject: string): KnownPart[] {
  const segments = subject.split(':');
  const parts: KnownPart[] = [];
  for (const [index, text] of segments.entries()) {
    const before = parts.at(-2);
    const path = before && before.path === undefined ? WORDS[before.text] : undefined;
    parts.push(
      path === undefined ? { text } : { text, path, trust: FREE.has(path) ? 'user-controlled' : 'trusted' },
    );
    if (index < segments.length - 1) parts.push({ text: ':' });
  }
  return parts;
}
