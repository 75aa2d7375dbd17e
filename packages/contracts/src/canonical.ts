import { hash } from 'node:crypto';

/**
 * Takes a JSON value; gives its text with members in the order of their names (RFC 8785 for the values that
 * events hold). Throws a TypeError for text that is not well-formed Unicode, which has no one encoding.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) return canonicalObject(value as Record<string, unknown>);
  if (typeof value === 'string' && !value.isWellFormed())
    throw new TypeError('text is not well-formed Unicode');
  return JSON.stringify(value);
}

function canonicalObject(value: Record<string, unknown>): string {
  let members = '';
  for (const name of Object.keys(value).sort((a, b) => (a < b ? -1 : 1))) {
    const member = value[name];
    if (member === undefined) continue;
    members += `${members === '' ? '' : ','}${canonicalJson(name)}:${canonicalJson(member)}`;
  }
  return `{${members}}`;
}

/** Takes a JSON value; gives the SHA-256 of its canonical text, base64url, 43 characters. */
export function digestOf(value: unknown): string {
  return hash('sha256', canonicalJson(value), 'base64url');
}
