import { createHash } from 'node:crypto';

/**
 * Takes a JSON value; gives its text with members in the order of their names (RFC 8785 for the values that
 * events hold). Throws a TypeError for text that is not well-formed Unicode, which has no one encoding.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  if (typeof value === 'string' && !value.isWellFormed())
    throw new TypeError('text is not well-formed Unicode');
  return JSON.stringify(value);
}

/** Takes a JSON value; gives the SHA-256 of its canonical text, base64url, 43 characters. */
export function digestOf(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('base64url');
}
