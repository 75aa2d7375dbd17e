import { isMap, isSeq, LineCounter, type Node, parseDocument } from 'yaml';

/** Where in a file: the names on the way to it. */
export type Place = readonly string[];

/** What a YAML text holds, what is wrong with it as YAML, and on which line each of its places is. */
export type YamlText = {
  value: unknown;
  faults: { line: number; reason: string }[];
  lineOf(at: Place): number;
};

/** Takes YAML; gives its value and the lines of its places. A name that stands twice in one map is a fault. */
export function readYaml(text: string): YamlText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true });
  const faults = document.errors.map(({ pos, message }) => ({
    line: lines.linePos(pos[0]).line,
    reason: message,
  }));
  return {
    value: faults.length > 0 ? undefined : document.toJS(),
    faults,
    lineOf: (at) => lines.linePos(offsetOf(document.contents, at)).line,
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
