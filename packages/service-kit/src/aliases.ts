import { type Alias, type Document, type Node, visit } from 'yaml';

/** What is wrong with an alias: where in the text it is, and the reason. */
export type AliasFault = { offset: number; reason: string };

/** Takes a YAML document that was read; gives its value, or what is wrong with its aliases. */
export function plainValue(document: Document): { value?: unknown; faults: AliasFault[] } {
  const aliases: Alias[] = [];
  const faults: AliasFault[] = [];
  visit(document, {
    Alias(_, alias, within) {
      aliases.push(alias);
      const target = alias.resolve(document);
      if (!target)
        faults.push({ offset: startOf(alias), reason: `*${alias.source} has no anchor before it` });
      else if (within.includes(target))
        faults.push({ offset: startOf(alias), reason: `*${alias.source} stands within itself` });
    },
  });
  if (faults.length > 0) return { faults };
  try {
    return { value: document.toJS(), faults };
  } catch {
    // An alias of aliases of aliases: small to write, too large to hold.
    return { faults: [{ offset: startOf(aliases.at(-1)), reason: 'has too many aliases of aliases' }] };
  }
}

const startOf = (node: Node | undefined) => node?.range?.[0] ?? 0;
