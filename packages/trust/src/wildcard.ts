import type { AwsPiece } from './aws-text.ts';
import { guessedParts, type KnownPart } from './guessed-parts.ts';
import type { PolicyWarning, TokenKnowledge } from './policy-warning.ts';

const REPOSITORY =
  /^(repository|head_repository|source_repository|organization|project|workflow|pipeline)\.|^derived\.(owner|short)_name$/;

/** From where to where a sign of a pattern stands for text. */
type Span = { begin: number; end: number; sign: string };

/**
 * Takes a pattern for `sub` as text and in pieces, the subject of a token, and what is known; gives what the pattern
 * leaves open that it looks like it does not.
 */
export function wildcardWarnings(
  name: string,
  text: string,
  pieces: readonly AwsPiece[],
  subject: string,
  { parts }: TokenKnowledge,
): PolicyWarning[] {
  if (!pieces.some(isWild)) return [];
  const warn = (what: string, instead: string): PolicyWarning => ({
    admits: 'more',
    what: `${name} ${text}: ${what}`,
    instead,
  });
  const first = pieces[0] as AwsPiece;
  if (isWild(first))
    return [
      warn(
        signOf(first) === '*'
          ? 'a * at the front admits every repository and every organization whose subject ends so'
          : `a ${signOf(first)} at the front leaves open how the subject begins, and with it of what make it is`,
        'write out the beginning, and leave open the end only',
      ),
    ];
  const spans = spansIn(pieces, subject);
  const open = spans
    ? openParts(spans, parts ?? guessedParts(subject))
    : openParts(wildsOf(pieces), guessedParts(flat(pieces)));
  return open
    .filter(({ path }, index) => open.findIndex((other) => other.path === path) === index)
    .flatMap((part) => warningOf(part, warn));
}

/** Takes a glob in which `*` alone is wild; gives its pieces. */
export function globPieces(glob: string): AwsPiece[] {
  return [...glob].map((sign) => (sign === '*' ? { wild: sign } : { plain: sign }));
}

/** Takes pieces of a pattern; says whether it writes out anything at all. */
export function holdsText(pieces: readonly AwsPiece[]): boolean {
  return pieces.some((piece) => 'plain' in piece);
}

/** What a variable stands for cannot be told: any text. */
function isWild(piece: AwsPiece): boolean {
  return !('plain' in piece);
}

function signOf(piece: AwsPiece): string {
  if ('wild' in piece) return piece.wild;
  return 'variable' in piece ? `\${${piece.variable}}` : piece.plain;
}

function warningOf(
  { path, text, trust, sign }: KnownPart & { sign: string },
  warn: (what: string, instead: string) => PolicyWarning,
): PolicyWarning[] {
  if (path === undefined)
    return [
      warn(
        `the ${sign} covers the text ${text} between the parts of a subject, so that it admits subjects of another make, such as pull requests, environments and forks have`,
        `write out ${text}`,
      ),
    ];
  if (REPOSITORY.test(path))
    return [
      warn(
        `the ${sign} stands for ${path}, so that it admits every other one beside ${text}`,
        `write out ${text}`,
      ),
    ];
  if (trust !== 'user-controlled') return [];
  return [
    warn(
      `the ${sign} stands for ${path}, which whoever can push or name something decides`,
      `write out ${text}, or protect what it stands for`,
    ),
  ];
}

/** The parts of a subject that a pattern does not write out, each with the sign that stands for it. */
function openParts(spans: readonly Span[], parts: readonly KnownPart[]): (KnownPart & { sign: string })[] {
  let at = 0;
  return joined(parts).flatMap((part) => {
    const [from, to] = [at, at + part.text.length];
    at = to;
    const found = spans.find(({ begin, end }) => begin < to && end > from);
    return found ? [{ ...part, sign: found.sign }] : [];
  });
}

/** Text between two facts as one part. */
function joined(parts: readonly KnownPart[]): KnownPart[] {
  const found: KnownPart[] = [];
  for (const part of parts) {
    const last = found.at(-1);
    if (last && last.path === undefined && part.path === undefined)
      found[found.length - 1] = { text: last.text + part.text };
    else found.push(part);
  }
  return found;
}

/** What each wildcard can stand for in a subject, between its leftmost and its rightmost fit; undefined where the subject is not of the pattern. */
function spansIn(pieces: readonly AwsPiece[], subject: string): Span[] | undefined {
  const [greedy, lazy] = ['', '?'].map((mark) => {
    const pattern = pieces.map((piece) => {
      if ('plain' in piece) return RegExp.escape(piece.plain);
      return 'wild' in piece && piece.wild === '?' ? '([\\s\\S])' : `([\\s\\S]*${mark})`;
    });
    return new RegExp(`^${pattern.join('')}$`, 'd').exec(subject)?.indices?.slice(1);
  });
  if (!greedy || !lazy) return undefined;
  return pieces.filter(isWild).map((piece, index) => {
    const fits = [...(greedy[index] ?? []), ...(lazy[index] ?? [])];
    return { begin: Math.min(...fits), end: Math.max(...fits), sign: signOf(piece) };
  });
}

/** A pattern as text, each wildcard one sign of it. */
function flat(pieces: readonly AwsPiece[]): string {
  return pieces
    .map((piece) => ('plain' in piece ? piece.plain : 'wild' in piece ? piece.wild : '*'))
    .join('');
}

/** Where the wildcards stand in that text. */
function wildsOf(pieces: readonly AwsPiece[]): Span[] {
  let at = 0;
  return pieces.flatMap((piece) => {
    const begin = at;
    at += 'plain' in piece ? piece.plain.length : 1;
    return isWild(piece) ? [{ begin, end: at, sign: signOf(piece) }] : [];
  });
}
