import { parse } from 'yaml';

/**
 * So many characters of values are read as YAML, which may take a millisecond for a dozen; what comes after them is quoted. With
 * so many no subject is short enough for anyone.
 */
const MOST_READ = 2048;
/** Text to YAML 1.1, unless it is one of its words for something else. */
const PLAIN = /^[A-Za-z][A-Za-z0-9_./-]*$/;
const NO_TEXT = /^(y|n|yes|no|on|off|true|false|null)$/i;

/**
 * Takes a pipeline's instance variables; gives the text by which Concourse names the instance
 * (`branch:feature,version:2`), the same for the same variables and for no others.
 */
export function instanceText(vars: Record<string, unknown>): string {
  let left = MOST_READ;
  const isBareText = (text: string) => {
    left -= text.length;
    return left >= 0 && isBare(text);
  };
  return flatten(vars, '')
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => `${name}:${valueText(value, isBareText)}`)
    .join(',');
}

function flatten(vars: object, prefix: string): [string, unknown][] {
  return Object.entries(vars).flatMap(([name, value]): [string, unknown][] => {
    const path = `${prefix}${/[,.:/ "]/.test(name) ? json(name) : name}`;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap && Object.keys(value).length > 0 ? flatten(value, `${path}.`) : [[path, value]];
  });
}

function valueText(value: unknown, isBareText: (text: string) => boolean): string {
  const text = json(value);
  return typeof value === 'string' && isBareText(value) ? text.slice(1, -1) : text;
}

/** Bare is what YAML reads back as text, and holds no sign that parts one variable from the next. */
function isBare(text: string): boolean {
  if (/[,: /]/.test(text)) return false;
  if (PLAIN.test(text) && !NO_TEXT.test(text)) return true;
  // No text to YAML, and hours of work: it would be read as collections that open and never end.
  if (/(^|[\s\u0085].*)[[{]/s.test(text)) return false;
  try {
    return typeof parse(text, { version: '1.1', logLevel: 'silent' }) === 'string';
  } catch {
    return false;
  }
}

/** JSON as Go writes it: names in order, and the signs that HTML knows escaped. */
function json(value: unknown): string {
  const sorted = (_: string, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner;
  const hex = (sign: string) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return JSON.stringify(value, sorted).replace(/[<>&\u2028\u2029]/g, hex);
}
