import { CommandError } from './exit-codes.ts';

/** What stands between `((` and `))`: `source:path.field`, any of its parts quoted. */
export type Reference = { text: string; source: string | undefined; path: string; fields: string[] };

/** Concourse's own local variables, which are known only while a build runs. */
export const LOCAL_SOURCE = '.';

const REFERENCE = /\(\(((?:[-/.\w\p{L}]+:)?(?:"[^"]*"|[-/.:@\w\p{L}])+)\)\)/gu;

/** Gives every reference of a text, in order. */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)].map(([, inner]) => parseReference(inner as string));
}

/** Takes a text and what its references stand for; one that is the whole text keeps the type of its value. */
export function substitute(text: string, meaningOf: (reference: Reference) => unknown): unknown {
  const references = referencesIn(text);
  const [only] = references;
  if (only && text === `((${only.text}))`) return meaningOf(only);
  return text.replace(REFERENCE, (whole, inner: string) => {
    const value = meaningOf(parseReference(inner));
    if (value === undefined) return whole;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    throw new CommandError('configuration', `${whole} stands within a text and is neither text nor a number`);
  });
}

function parseReference(text: string): Reference {
  const [source, rest] = splitSource(text);
  const segments = splitOutside(rest, '.').map((segment) => segment.replaceAll('"', '').trim());
  // `.NAME`: what the seed of this form calls a variable of the environment.
  if (source === undefined && segments.length === 2 && segments[0] === '')
    return { text, source, path: `.${segments[1]}`, fields: [] };
  const [path = '', ...fields] = segments;
  if (segments.includes(''))
    throw new CommandError('configuration', `((${text})) names nothing: a part of it is empty`);
  return { text, source, path, fields };
}

function splitSource(text: string): [string | undefined, string] {
  const [first = '', ...rest] = splitOutside(text, ':');
  return rest.length === 0 ? [undefined, text] : [first.replaceAll('"', ''), rest.join(':')];
}

/** Splits where `mark` stands outside of quotation marks. */
function splitOutside(text: string, mark: string): string[] {
  const parts = [''];
  let isQuoted = false;
  for (const character of text) {
    if (character === '"') isQuoted = !isQuoted;
    if (character === mark && !isQuoted) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}
