/** An expression of CEL, as far as conditions of Google's workload identity federation use it. */
export type CelNode =
  | { kind: 'literal'; value: string | number | boolean | null }
  | { kind: 'name'; name: string }
  | { kind: 'member'; of: CelNode; name: string }
  | { kind: 'index'; of: CelNode; at: CelNode }
  | { kind: 'call'; of: CelNode | undefined; name: string; args: CelNode[] }
  | { kind: 'list'; items: CelNode[] }
  | { kind: 'not'; of: CelNode }
  | { kind: 'binary'; operator: string; left: CelNode; right: CelNode }
  | { kind: 'choice'; test: CelNode; yes: CelNode; no: CelNode };

const TOKEN =
  /\s+|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([A-Za-z_][A-Za-z0-9_]*)|([0-9]+)|(&&|\|\||[=!<>]=|[.,()[\]!<>?:])/gy;

type Token = { kind: 'text' | 'name' | 'number' | 'sign' | 'end'; text: string };

/** Takes the text of an expression; gives its tree. Throws a TypeError for what is not of the subset. */
export function parseCel(text: string): CelNode {
  const reader = readerOf(tokensOf(text));
  const node = choice(reader);
  reader.expect('end', '');
  return node;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [whole, quoted, name, number, sign] = match;
    end = match.index + whole.length;
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unquote(quoted) });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else if (number !== undefined) tokens.push({ kind: 'number', text: number });
    else if (sign !== undefined) tokens.push({ kind: 'sign', text: sign });
  }
  if (end !== text.length) throw new TypeError(`the expression cannot be read at character ${end + 1}`);
  return [...tokens, { kind: 'end', text: '' }];
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unquote(quoted: string): string {
  return quoted
    .slice(1, -1)
    .replace(/\\(?:u([0-9A-Fa-f]{4})|(.))/g, (_, hex?: string, sign?: string) =>
      hex ? String.fromCharCode(Number.parseInt(hex, 16)) : (ESCAPES[sign ?? ''] ?? sign ?? ''),
    );
}

type Reader = {
  /** Takes the next token if it is this sign or word. */
  take(text: string): boolean;
  expect(kind: Token['kind'], text?: string): string;
  peek(): Token;
};

function readerOf(tokens: readonly Token[]): Reader {
  let at = 0;
  const peek = () => tokens[at] as Token;
  return {
    peek,
    take(text) {
      const { kind } = peek();
      const found = (kind === 'sign' || kind === 'name') && peek().text === text;
      if (found) at += 1;
      return found;
    },
    expect(kind, text) {
      const token = peek();
      if (token.kind !== kind || (text !== undefined && token.text !== text))
        throw new TypeError(
          `the expression has ${token.text || 'its end'} where ${text || `a ${kind}`} must stand`,
        );
      at += 1;
      return token.text;
    },
  };
}

function choice(reader: Reader): CelNode {
  const test = binary(reader, 0);
  if (!reader.take('?')) return test;
  const yes = choice(reader);
  reader.expect('sign', ':');
  return { kind: 'choice', test, yes, no: choice(reader) };
}

const LEVELS = [['||'], ['&&'], ['==', '!=', '<=', '>=', '<', '>', 'in']] as const;

function binary(reader: Reader, level: number): CelNode {
  const operators = LEVELS[level];
  if (!operators) return unary(reader);
  let left = binary(reader, level + 1);
  for (;;) {
    const operator = operators.find((one) => reader.take(one));
    if (operator === undefined) return left;
    left = { kind: 'binary', operator, left, right: binary(reader, level + 1) };
  }
}

function unary(reader: Reader): CelNode {
  if (reader.take('!')) return { kind: 'not', of: unary(reader) };
  let node = primary(reader);
  for (;;) {
    if (reader.take('.')) {
      const name = reader.expect('name');
      node = reader.take('(')
        ? { kind: 'call', of: node, name, args: items(reader, ')') }
        : { kind: 'member', of: node, name };
    } else if (reader.take('[')) {
      node = { kind: 'index', of: node, at: choice(reader) };
      reader.expect('sign', ']');
    } else return node;
  }
}

const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['false', false],
  ['null', null],
]);

function primary(reader: Reader): CelNode {
  const { kind, text } = reader.peek();
  if (reader.take('(')) {
    const node = choice(reader);
    reader.expect('sign', ')');
    return node;
  }
  if (reader.take('[')) return { kind: 'list', items: items(reader, ']') };
  if (kind === 'text') return { kind: 'literal', value: reader.expect('text') };
  if (kind === 'number') return { kind: 'literal', value: Number(reader.expect('number')) };
  const name = reader.expect('name');
  if (WORDS.has(name)) return { kind: 'literal', value: WORDS.get(text) ?? null };
  return reader.take('(')
    ? { kind: 'call', of: undefined, name, args: items(reader, ')') }
    : { kind: 'name', name };
}

function items(reader: Reader, end: string): CelNode[] {
  const all: CelNode[] = [];
  if (reader.take(end)) return all;
  do all.push(choice(reader));
  while (reader.take(','));
  reader.expect('sign', end);
  return all;
}
