import { type Kind, PER_BUILD } from './kind-of-build.ts';
import type { Widening } from './trust.ts';

/** How a pattern language writes plain text, and any text. */
export type PatternLanguage = { plain(text: string): string; any: string };

/** Takes a kind, a language and, if it is to be wide, a fact; gives the pattern of its subjects. What differs from build to build is any. */
export function subjectPattern({ parts }: Kind, { plain, any }: PatternLanguage, wide?: string): string {
  const isWide = (path: string | undefined) => path !== undefined && (path === wide || PER_BUILD.has(path));
  return parts.map(({ path, text }) => (isWide(path) ? any : plain(text))).join('');
}

/** Takes a kind; gives each fact in its subject that could be left open, and who gets in then. */
export function openings({ parts }: Kind): { path: string; admits: string }[] {
  const paths = new Set(
    parts.flatMap(({ path, text }) => (path && text && !PER_BUILD.has(path) ? [path] : [])),
  );
  return [...paths].map((path) => {
    const trust = parts.find((part) => part.path === path)?.trust;
    const warning =
      trust === 'user-controlled' ? ', and whoever can push or name something decides that' : '';
    return { path, admits: `${ADMITS[path] ?? `builds with any ${path}`}${warning}` };
  });
}

/** Takes a kind, a language, how a change reads, and how a pattern is matched; gives the widenings of its subject. */
export function subjectWidenings(
  kind: Kind,
  language: PatternLanguage,
  change: (pattern: string) => string,
  isOf: (pattern: string, subject: string) => boolean,
): Widening[] {
  return openings(kind).map(({ path, admits }) => {
    const pattern = subjectPattern(kind, language, path);
    return { change: change(pattern), admits, takes: (subject) => isOf(pattern, subject) };
  });
}

/** Takes a kind and how a policy names the condition on a claim; gives what leaving each condition out admits. */
export function pinWidenings({ pins }: Kind, change: (claim: string) => string): Widening[] {
  return pins.map(({ claim, without }) => ({ change: change(claim), admits: without }));
}

const ADMITS: Readonly<Record<string, string>> = {
  ref: 'every branch and tag',
  'derived.ref_name': 'every branch, or every tag',
  'derived.ref_type': 'a tag called like the branch',
  'repository.id': 'every repository of this source',
  'repository.name': 'every repository of this source',
  'head_repository.name': 'every repository of this source, forks among them',
  'head_repository.id': 'every repository of this source, forks among them',
  'source_repository.id': 'every fork of the repository',
  'derived.short_name': 'every repository of the owner',
  'derived.owner_name': 'repositories of every owner',
  'repository.owner.id': 'repositories of every owner',
  'organization.name': 'every organization of this source',
  'organization.id': 'every organization of this source',
  'pipeline.name': 'every pipeline',
  'pipeline.id': 'every pipeline',
  'workflow.id': 'every workflow',
  'environment.name': 'every environment',
  event: 'whatever causes a build, pull requests among it',
  'job.name': 'every job',
  'step.key': 'every step',
};
