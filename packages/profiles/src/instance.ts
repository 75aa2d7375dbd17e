import { parse } from 'yaml';

/**
 * Takes a pipeline's instance variables; gives the text by which Concourse names the instance
 * (`branch:feature,version:2`), the same for the same variables and for no others.
 */
export function instanceText(vars: Record<string, unknown>): string {
  return flatten(vars, '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${valueText(value)}`)
    .join(',');
}

function flatten(vars: object, prefix: string): [string, unknown][] {
  return Object.entries(vars).flatMap(([name, value]): [string, unknown][] => {
    const path = `${prefix}${/[,.:/ "]/.test(name) ? json(name) : name}`;
    const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isMap && Object.keys(value).length > 0 ? flatten(value, `${path}.`) : [[path, value]];
  });
}

function valueText(value: unknown): string {
  const text = json(value);
  return typeof value === 'string' && isBare(value) ? text.slice(1, -1) : text;
}

/** Bare is what YAML and JSON both read back as nothing but this text. */
function isBare(text: string): boolean {
  if (text.trim() !== text || /[,: /]/.test(text) || parses(() => JSON.parse(text))) return false;
  let read: unknown;
  return (
    parses(() => {
      read = parse(text, { version: '1.1', logLevel: 'silent' });
    }) && typeof read === 'string'
  );
}

function parses(act: () => unknown): boolean {
  try {
    act();
    return true;
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
