type Node =
  | { kind: 'text'; text: string }
  | { kind: 'value'; name: string }
  | { kind: 'choice'; test: (values: Values) => boolean; yes: Node[]; no: Node[] };
type Values = ReadonlyMap<string, string>;

const ACTION = /\{\{-?\s*(.*?)\s*-?\}\}/gs;

/**
 * Takes a template as Fulcio has them (Go's `text/template` over a map of texts, `missingkey=error`) and values; gives
 * its text. Read are `.name`, `index . "name"` and `if eq … else … end`. Throws a TypeError for another action, and for
 * a value that is not there.
 */
export function renderGoTemplate(template: string, values: Values): string {
  const parts: { text?: string; action?: string }[] = [];
  let end = 0;
  for (const match of template.matchAll(ACTION)) {
    parts.push({ text: template.slice(end, match.index) }, { action: match[1] ?? '' });
    end = match.index + match[0].length;
  }
  parts.push({ text: template.slice(end) });
  const nodes = nodesOf(parts, () => false);
  if (parts.length > 0) throw new TypeError('the template has an end or else without its if');
  return render(nodes, values);
}

function nodesOf(parts: { text?: string; action?: string }[], isEnd: (action: string) => boolean): Node[] {
  const nodes: Node[] = [];
  while (parts.length > 0) {
    const { text, action } = parts[0] as { text?: string; action?: string };
    if (action === 'else' || action === 'end') {
      if (isEnd(action)) return nodes;
      throw new TypeError('the template has an end or else without its if');
    }
    parts.shift();
    nodes.push(text === undefined ? actionNode(action ?? '', parts) : { kind: 'text', text });
  }
  return nodes;
}

function actionNode(action: string, parts: { text?: string; action?: string }[]): Node {
  return action.startsWith('if ') ? choiceOf(action, parts) : { kind: 'value', name: nameOf(action) };
}

function choiceOf(action: string, parts: { text?: string; action?: string }[]): Node {
  const match = /^if eq (\S+|\(index \. "[^"]*"\)) "([^"]*)"$/.exec(action);
  if (!match) throw new TypeError(`the action ${action} is not read here`);
  const [name, expected] = [nameOf(match[1] as string), match[2] as string];
  const yes = nodesOf(parts, () => true);
  const no = parts.shift()?.action === 'else' ? nodesOf(parts, (one) => one === 'end') : [];
  if (no.length > 0 && parts.shift()?.action !== 'end') throw new TypeError('an if has no end');
  return { kind: 'choice', test: (values) => entryOf(name, values) === expected, yes, no };
}

function nameOf(action: string): string {
  const match = /^\.([A-Za-z_][A-Za-z0-9_]*)$/.exec(action) ?? /^\(?index \. "([^"\\]+)"\)?$/.exec(action);
  if (!match) throw new TypeError(`the action ${action} is not read here`);
  return match[1] as string;
}

function entryOf(name: string, values: Values): string {
  const value = values.get(name);
  if (value === undefined) throw new TypeError(`map has no entry for key "${name}"`);
  return value;
}

function render(nodes: readonly Node[], values: Values): string {
  return nodes
    .map((node) => {
      if (node.kind === 'text') return node.text;
      if (node.kind === 'value') return entryOf(node.name, values);
      return render(node.test(values) ? node.yes : node.no, values);
    })
    .join('');
}
