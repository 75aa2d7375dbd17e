/** A piece of a template: text as it stands, or the fact at a path. */
export type Piece = { text: string } | { path: string; optional: boolean };

/** A template: pieces, each alone or in a group that is dropped when one of its facts is not there. */
export type Template = readonly (readonly Piece[])[];

const TOKEN = /\{([a-z_.]+)(\?)?\}|\[|\]|[^{}[\]]+|[{}]/g;

/**
 * Takes a template such as `repo:{repository.name}` or `{event}[:{action}]`; gives its pieces, the odd-numbered
 * groups being the optional ones. Throws a TypeError for brackets that do not pair.
 */
export function parseTemplate(text: string): Template {
  const groups: Piece[][] = [[]];
  for (const match of text.matchAll(TOKEN)) {
    const [token, path, optional] = match;
    if (token === '[' || token === ']') {
      if ((groups.length % 2 === 0) !== (token === ']')) throw new TypeError('brackets do not pair');
      groups.push([]);
    } else {
      groups.at(-1)?.push(path ? { path, optional: optional === '?' } : plain(token));
    }
  }
  if (groups.length % 2 === 0) throw new TypeError('brackets do not pair');
  return groups;
}

function plain(text: string): Piece {
  if (text === '{' || text === '}') throw new TypeError('braces do not pair, or hold no name of a field');
  return { text };
}

/** Takes a template; gives the paths of the facts that it names. */
export function pathsOf(template: Template): string[] {
  return template.flat().flatMap((piece) => ('path' in piece ? [piece.path] : []));
}

/** Takes a template and facts; gives its text, or undefined where a fact that it needs is not there. */
export function renderTemplate(template: Template, facts: (path: string) => unknown): string | undefined {
  let text = '';
  for (const [index, group] of template.entries()) {
    const piece = renderGroup(group, facts);
    if (piece === undefined && index % 2 === 0) return undefined;
    text += piece ?? '';
  }
  return text;
}

function renderGroup(group: readonly Piece[], facts: (path: string) => unknown): string | undefined {
  let text = '';
  for (const piece of group) {
    const value = 'text' in piece ? piece.text : (facts(piece.path) ?? (piece.optional ? '' : undefined));
    if (value === undefined) return undefined;
    text += String(value);
  }
  return text;
}
