/** A profile as `node --cpu-prof` writes it. */
export type CpuProfile = {
  nodes: {
    id: number;
    callFrame: { functionName: string; url: string; lineNumber: number };
    children?: number[];
  }[];
  /** Microseconds by the machine's monotonic clock. */
  startTime: number;
  samples: number[];
  timeDeltas: number[];
};

/** Where CPU time went: by function, its own alone, and as a tree. */
export type Profiled = { busyMs: number; top: { name: string; ms: number }[]; svg: string };

/** From when to when, microseconds by the monotonic clock. */
export type Span = { from: number; to: number };

type Tree = { name: string; ms: number; own: number; children: Map<string, Tree> };

const WIDTH = 1200;
const ROW = 16;
const LEAST = 0.004;
const NOT_WORK = new Set(['(root)', '(program)', '(idle)']);

/** Reads what a profile has of a span of time (µs by the monotonic clock); draws its flame graph, widest at the top. */
export function readProfile(profile: CpuProfile, title: string, span: Span): Profiled {
  const root = treeOf(profile, span);
  const own = new Map<string, number>();
  const walk = (tree: Tree) => {
    own.set(tree.name, (own.get(tree.name) ?? 0) + tree.own);
    for (const child of tree.children.values()) walk(child);
  };
  walk(root);
  const top = [...own].map(([name, ms]) => ({ name, ms })).toSorted((a, b) => b.ms - a.ms);
  return { busyMs: root.ms, top: top.slice(0, 25), svg: draw(root, title) };
}

function treeOf({ nodes, samples, startTime, timeDeltas }: CpuProfile, { from, to }: Span): Tree {
  const own = new Map<number, number>();
  let at = startTime;
  for (const [index, id] of samples.entries()) {
    const micros = timeDeltas[index] ?? 0;
    at += micros;
    if (at >= from && at <= to) own.set(id, (own.get(id) ?? 0) + Math.max(micros, 0) / 1000);
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const build = (ids: number[], into: Tree): Tree => {
    for (const node of ids.flatMap((id) => byId.get(id) ?? [])) {
      const name = nameOf(node.callFrame);
      if (NOT_WORK.has(name) && name !== '(root)') continue;
      const child = into.children.get(name) ?? { name, ms: 0, own: 0, children: new Map() };
      into.children.set(name, child);
      const before = child.ms;
      child.own += own.get(node.id) ?? 0;
      child.ms += own.get(node.id) ?? 0;
      build(node.children ?? [], child);
      into.ms += child.ms - before;
    }
    return into;
  };
  const root: Tree = { name: 'all', ms: 0, own: 0, children: new Map() };
  return build(nodes[0]?.children ?? [], root);
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][0]['callFrame']): string {
  const name = functionName || 'anonymous';
  if (url === '') return name;
  const file = url
    .replace(/^.*\/node_modules\//, '')
    .replace(/^.*\/(services|packages)\//, '')
    .replace(/^node:/, '');
  return `${name} ${file}:${lineNumber + 1}`;
}

function draw(root: Tree, title: string): string {
  const cells: string[] = [];
  let depth = 0;
  const put = (tree: Tree, x: number, row: number) => {
    const width = (tree.ms / root.ms) * WIDTH;
    if (tree.ms / root.ms < LEAST) return;
    depth = Math.max(depth, row);
    cells.push(cell(tree, x, row, width, tree.ms / root.ms));
    let at = x;
    for (const child of [...tree.children.values()].toSorted((a, b) => b.ms - a.ms)) {
      put(child, at, row + 1);
      at += (child.ms / root.ms) * WIDTH;
    }
  };
  put(root, 0, 0);
  const height = (depth + 1) * ROW + 30;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="monospace" font-size="10">
<title>${escaped(title)}</title>
<rect width="100%" height="100%" fill="#fff"/><text x="6" y="16" font-size="13">${escaped(title)}</text>
${cells.join('\n')}
</svg>
`;
}

function cell({ name }: Tree, x: number, row: number, width: number, share: number): string {
  const y = 26 + row * ROW;
  const letters = Math.floor((width - 4) / 6);
  const label =
    letters > 3
      ? `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escaped(name.slice(0, letters))}</text>`
      : '';
  const fill = `hsl(${name.includes('node_modules') || !/\.ts:/.test(name) ? 35 : 165} 45% ${74 + (row % 3) * 4}%)`;
  return `<g><title>${escaped(name)} ${(share * 100).toFixed(1)} %</title><rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${fill}"/>${label}</g>`;
}

const escaped = (words: string) => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
