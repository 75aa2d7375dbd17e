import { type Document, isMap, isScalar, isSeq, type Scalar, visit } from 'yaml';
import { type Reference, referencesIn, substitute } from './interpolate-text.ts';
import type { VarSource } from './var-source.ts';
import type { Resolver } from './var-source-resolve.ts';

/** Replaces every reference of a document, in keys too; comments, and what a value itself holds, stay as they are. */
export async function interpolateDocument(document: Document, resolve: Resolver): Promise<void> {
  const values = new Map<string, unknown>();
  for (const { text, reference } of referencesOf(document)) {
    if (!values.has(text)) values.set(text, await resolve(reference));
  }
  const valueOf = ({ text }: Reference) => values.get(text);
  visit(document, {
    Scalar(_key, node) {
      if (typeof node.value !== 'string' || referencesIn(node.value).length === 0) return undefined;
      const value = substitute(node.value, valueOf);
      if (typeof value === 'string') return void (node.value = value);
      // What was just put in is not looked at again.
      return value === undefined ? undefined : replaceBy(node, document.createNode(value));
    },
  });
}

function replaceBy(old: Scalar, node: ReturnType<Document['createNode']>) {
  const { comment, commentBefore, spaceBefore } = old;
  Object.assign(node, { comment, commentBefore, spaceBefore });
  return replaced(node);
}

/** `visit` goes into a node that it is given; a value that itself looks like a reference is not to be one. */
function replaced<T>(node: T): T {
  return node;
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
