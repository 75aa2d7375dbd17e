import { type Kind, PER_BUILD } from './kind-of-build.ts';
import type { Opening } from './trust.ts';

/** How a pattern language writes plain text, and any text. */
export type PatternLanguage = { plain(text: string): string; any: string };

/** Takes a kind, a language and, facts that are to be wide; gives the pattern of its subjects. What differs from build to build is any. */
export function subjectPattern(
  { parts }: Kind,
  { plain, any }: PatternLanguage,
  wide: readonly string[] = [],
): string {
  const isWide = (path: string | undefined) =>
    path !== undefined && (wide.includes(path) || PER_BUILD.has(path));
  return parts.map(({ path, text }) => (isWide(path) ? any : plain(text))).join('');
}

/** Takes a kind; gives the facts in its subject that could be left open. */
export function openPaths({ parts }: Kind): string[] {
  return [
    ...new Set(parts.flatMap(({ path, text }) => (path && text && !PER_BUILD.has(path) ? [path] : []))),
  ];
}

/** Takes the change of a subject, if there is one, an opening, and how a policy names the condition on a claim; gives how the whole change reads. */
export function changeOf(
  subject: string | undefined,
  { without }: Opening,
  leaveOut: (claims: string) => string,
): string {
  return [
    ...(subject === undefined ? [] : [subject]),
    ...(without.length > 0 ? [leaveOut(without.join(' and '))] : []),
  ].join(', and ');
}
