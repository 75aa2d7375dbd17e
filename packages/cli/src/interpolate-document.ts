import { type Document, isMap, isScalar, isSeq, type Node, Scalar, Schema, visit } from 'yaml';
import { type Reference, referencesIn, substitute } from './interpolate-text.ts';
import type { VarSource } from './var-source.ts';
import type { Resolver } from './var-source-resolve.ts';

/** Replaces every reference of a document, in keys too; comments, and what a value itself holds, stay as they are. */
export async function interpolateDocument(document: Document, resolve: Resolver): Promise<void> {
  const values = new Map<string, unknown>();
  for (const { text, reference } of referencesOf(document)) {
    if (!values.has(text)) values.set(text, await resolve(reference));
  }
  // What was put in is not looked into: a secret may hold what looks like a reference.
  const made = new WeakSet<Node>();
  visit(document, {
    Node(_key, node) {
      if (made.has(node)) return visit.SKIP;
      const next = isScalar(node) ? replacement(node, document, values) : undefined;
      if (next) made.add(next);
      return next;
    },
  });
}

/** Takes a scalar; gives what stands in its place, or undefined where nothing in it is to be replaced. */
function replacement(
  node: Scalar,
  document: Document,
  values: ReadonlyMap<string, unknown>,
): Node | undefined {
  if (typeof node.value !== 'string') return undefined;
  const value = substitute(node.value, ({ text }) => values.get(text));
  if (value === undefined || value === node.value) return undefined;
  const next = document.createNode(value) as Node;
  const { anchor, type, comment, commentBefore, spaceBefore } = node;
  Object.assign(next, { comment, commentBefore, spaceBefore, ...(anchor ? { anchor } : {}) });
  if (isScalar(next) && type) next.type = type;
  visit(next, { Scalar: (_key, scalar) => quoteWhereNeeded(scalar) });
  return next;
}

const YAML_1_1 = new Schema({ schema: 'yaml-1.1' });

/**
 * Concourse reads YAML 1.1, in which a plain `yes` or `0b1010` is no text. Only what was put in is quoted: an own `yes`
 * of the file means there what it meant before, so that the document is not written with `compat`.
 */
function quoteWhereNeeded(scalar: Scalar): void {
  const { value, type } = scalar;
  if (typeof value !== 'string' || (type !== undefined && type !== Scalar.PLAIN)) return;
  const isOtherwise = YAML_1_1.tags.some((tag) => tag.default && 'test' in tag && tag.test?.test(value));
  if (isOtherwise) scalar.type = Scalar.QUOTE_DOUBLE;
}

function referencesOf(document: Document): { text: string; reference: Reference }[] {
  const found: { text: string; reference: Reference }[] = [];
  visit(document, {
    Scalar(_key, { value }) {
      if (typeof value !== 'string') return;
      for (const reference of referencesIn(value)) found.push({ text: reference.text, reference });
    },
  });
  return found;
}

/** Takes the sources that were resolved here out of a document: Concourse does not know them. */
export function dropSources(document: Document, sources: readonly VarSource[]): void {
  const declared = document.get('var_sources');
  if (!isSeq(declared)) return;
  declared.items = declared.items.filter((_, index) => sources[index]?.type === 'concourse');
  if (declared.items.length === 0) document.delete('var_sources');
}

/** Leaves one job in a pipeline; says whether it is there. */
export function keepJob(document: Document, name: string): boolean {
  const jobs = document.get('jobs');
  if (!isSeq(jobs)) return false;
  jobs.items = jobs.items.filter((job) => {
    const named = isMap(job) ? job.get('name', true) : undefined;
    return isScalar(named) && named.value === name;
  });
  return jobs.items.length > 0;
}
