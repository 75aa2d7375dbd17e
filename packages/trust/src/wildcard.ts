import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';

const REPOSITORY =
  /^(repository|head_repository|organization|project|workflow|pipeline)\.|^derived\.(owner|short)_name$/;

/**
 * Takes a pattern for `sub` in which `*` is wild, the subject of a token that is of it, and what is known; gives what
 * the pattern leaves open that it looks like it does not.
 */
export function wildcardWarnings(
  name: string,
  pattern: string,
  subject: string,
  { parts }: TokenKnowledge,
): PolicyWarning[] {
  const first = pattern.indexOf('*');
  if (first < 0) return [];
  const warn = (what: string, instead: string): PolicyWarning => ({
    admits: 'more',
    what: `${name} ${pattern}: ${what}`,
    instead,
  });
  if (first === 0)
    return [
      warn(
        'a * at the front admits every repository and every organization',
        'write out the beginning, and leave open the end only',
      ),
    ];
  const open = openParts(pattern, subject, parts ?? guessedParts(subject));
  const wide = open.find(({ path }) => REPOSITORY.test(path));
  const free = open.find(({ trust }) => trust === 'user-controlled');
  return [
    ...(wide
      ? [
          warn(
            `the * stands for ${wide.path}, so that it admits every other one beside ${wide.text}`,
            `write out ${wide.text}`,
          ),
        ]
      : []),
    ...(free
      ? [
          warn(
            `the * stands for ${free.path}, which whoever can push or name something decides`,
            `write out ${free.text}, or protect what it stands for`,
          ),
        ]
      : []),
  ];
}

type KnownPart = { text: string; path: string; trust: string | undefined };

/** The parts of a subject that a pattern does not write out. */
function openParts(
  pattern: string,
  subject: string,
  parts: NonNullable<TokenKnowledge['parts']>,
): KnownPart[] {
  const begin = pattern.split('*')[0] ?? '';
  const end = pattern.slice(pattern.lastIndexOf('*') + 1);
  const found: KnownPart[] = [];
  let at = 0;
  for (const { text, path, trust } of parts) {
    const isWritten = at + text.length <= begin.length || at >= subject.length - end.length;
    if (!isWritten && path !== undefined) found.push({ text, path, trust });
    at += text.length;
  }
  return found;
}

/** Without the event, what a subject such as `repo:octo/hello:ref:refs/heads/main` is made of can be guessed by its words. */
function guessedParts(subject: string): { text: string; path?: string; trust?: string }[] {
  const words = subject.split(/([:/])/);
  return words.map((text, index) => {
    const before = words.slice(0, index).join('');
    if (/(^|:)(ref|branch|environment|job|step|event):/.test(before))
      return { text, path: 'ref', trust: 'user-controlled' };
    if (/^(repo|project_path|project_id|organization|pipeline|workflow):/.test(before))
      return { text, path: 'repository.name', trust: 'trusted' };
    return { text };
  });
}
