import { isDeepStrictEqual } from 'node:util';
import type { CelNode } from './cel-parse.ts';

/** What an expression gives, or why it has no value: a claim that is not there, a type that does not fit. */
export type CelResult = { value: unknown } | { error: string };

/** Takes a tree and the values of its names; gives its value, with the errors of CEL (`false && error` is false). */
export function evaluateCel(node: CelNode, names: Readonly<Record<string, unknown>>): CelResult {
  switch (node.kind) {
    case 'literal':
      return { value: node.value };
    case 'name':
      return Object.hasOwn(names, node.name)
        ? { value: names[node.name] }
        : { error: `no such name: ${node.name}` };
    case 'list':
      return all(node.items, names, (values) => ({ value: values }));
    case 'member':
      return all([node.of], names, ([of]) => memberOf(of, node.name));
    case 'index':
      return all([node.of, node.at], names, ([of, at]) => memberOf(of, at));
    case 'not':
      return all([node.of], names, ([of]) =>
        typeof of === 'boolean' ? { value: !of } : { error: '! takes a bool' },
      );
    case 'choice':
      return all([node.test], names, ([test]) => evaluateCel(test === true ? node.yes : node.no, names));
    case 'binary':
      return binary(node, names);
    case 'call':
      return call(node, names);
  }
}

type Names = Readonly<Record<string, unknown>>;

function all(nodes: readonly CelNode[], names: Names, then: (values: unknown[]) => CelResult): CelResult {
  const values: unknown[] = [];
  for (const node of nodes) {
    const result = evaluateCel(node, names);
    if ('error' in result) return result;
    values.push(result.value);
  }
  return then(values);
}

function memberOf(of: unknown, at: unknown): CelResult {
  if (Array.isArray(of)) {
    return typeof at === 'number' && at in of ? { value: of[at] } : { error: 'index out of range' };
  }
  if (typeof of !== 'object' || of === null || typeof at !== 'string')
    return { error: 'only maps have members' };
  return Object.hasOwn(of, at) ? { value: (of as Names)[at] } : { error: `no such key: ${at}` };
}

function binary({ operator, left, right }: CelNode & { kind: 'binary' }, names: Names): CelResult {
  if (operator === '&&' || operator === '||') return logical(operator === '||', left, right, names);
  return all([left, right], names, ([a, b]) => {
    if (operator === '==') return { value: isDeepStrictEqual(a, b) };
    if (operator === '!=') return { value: !isDeepStrictEqual(a, b) };
    if (operator === 'in') return membership(a, b);
    if (typeof a !== typeof b || !['string', 'number'].includes(typeof a))
      return { error: `no such overload: ${operator}` };
    const order = (a as string) < (b as string) ? -1 : Number(a !== b);
    return { value: { '<': order < 0, '>': order > 0, '<=': order <= 0, '>=': order >= 0 }[operator] };
  });
}

/** Either side decides, whatever the other is, also an error. */
function logical(decider: boolean, left: CelNode, right: CelNode, names: Names): CelResult {
  const results = [left, right].map((node): CelResult => {
    const result = evaluateCel(node, names);
    return 'error' in result || typeof result.value === 'boolean'
      ? result
      : { error: 'no such overload: not a bool' };
  });
  const decided = results.find((result) => 'value' in result && result.value === decider);
  return decided ?? results.find((result) => 'error' in result) ?? { value: !decider };
}

function membership(item: unknown, of: unknown): CelResult {
  if (Array.isArray(of)) return { value: of.some((one) => isDeepStrictEqual(one, item)) };
  if (typeof of === 'object' && of !== null) return { value: Object.hasOwn(of, String(item)) };
  return { error: 'no such overload: in' };
}

const TEXT_CALLS: Readonly<Record<string, (text: string, argument: string) => boolean>> = {
  startsWith: (text, argument) => text.startsWith(argument),
  endsWith: (text, argument) => text.endsWith(argument),
  contains: (text, argument) => text.includes(argument),
  matches: (text, argument) => new RegExp(argument, 'u').test(text),
};

function call({ of, name, args }: CelNode & { kind: 'call' }, names: Names): CelResult {
  if (!of && name === 'has') return has(args[0], names);
  const known = Object.hasOwn(TEXT_CALLS, name) ? TEXT_CALLS[name] : undefined;
  if (!of || !known || args.length !== 1) return { error: `no such function here: ${name}` };
  return all([of, ...args], names, ([text, argument]) =>
    typeof text === 'string' && typeof argument === 'string'
      ? { value: known(text, argument) }
      : { error: `no such overload: ${name}` },
  );
}

function has(node: CelNode | undefined, names: Names): CelResult {
  if (node?.kind !== 'member') return { error: 'has() takes a member' };
  return all([node.of], names, ([of]) => ({
    value: typeof of === 'object' && of !== null && Object.hasOwn(of, node.name),
  }));
}
