import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import { plainValue } from './aliases.ts';

/** Where in a file: the names on the way to it. */
export type Place = readonly string[];

/** What a YAML text holds, what is wrong with it as YAML, and on which line each of its places is. */
export type YamlText = {
  value: unknown;
  faults: { line: number; reason: string }[];
  lineOf(at: Place): number;
};

/**
 * Takes YAML; gives its value and the lines of its places. A name that stands twice in one map is a fault, and so are a
 * second document and an alias of nothing, of itself or of too much.
 */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const lineAt = (offset: number) => lines.linePos(offset).line;
  const broken = document.errors.map(({ pos, message }) => ({ line: lineAt(pos[0]), reason: message }));
  const { value, faults } = broken.length > 0 ? { faults: [] } : plainValue(document);
  return {
    value,
    faults: [...broken, ...faults.map(({ offset, reason }) => ({ line: lineAt(offset), reason }))],
    lineOf: (at) => lineAt(offsetOf(document.contents, at)),
  };
}

function offsetOf(contents: Node | null, at: Place): number {
  let node: unknown = contents;
  let offset = contents?.range?.[0] ?? 0;
  for (const name of at) {
    const [key, value] = memberOf(node, name);
    if (!key) break;
    offset = key.range?.[0] ?? offset;
    node = value;
  }
  return offset;
}

/** The node that stands where a member begins, and the member itself. */
function memberOf(node: unknown, name: string): [Node | undefined, unknown] {
  if (isSeq<Node>(node)) return [node.items[Number(name)], node.items[Number(name)]];
  const pair = isMap<Node, Node>(node) ? node.items.find(({ key }) => String(key) === name) : undefined;
  return [pair?.key, pair?.value];
}
