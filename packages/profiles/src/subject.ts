import { ServiceError } from '@mayfly/contracts/errors';
import type { Facts } from './facts.ts';
import { fieldName } from './fields.ts';
import type { Condition, Profile, SubjectComponent, SubjectForm } from './profile.ts';

/**
 * Takes a profile, the facts of a build and, if not the profile's own, the name of an alternate; gives `sub`.
 * Throws a ServiceError (`invalid_request`) that names the field which is missing, or those which make it too long.
 */
export function subjectOf(
  profile: Profile,
  facts: Facts,
  name = profile.subject.default,
  limit?: number,
): string {
  const { separator, strict, maxBytes } = profile.subject;
  const { components } = formFor(profile, facts, name);
  const write = (text: string, reserved: string) => escapeValue(text, `${separator}${reserved}`, strict);
  const subject = components.map((component) => componentText(component, facts, write)).join(separator);
  const longest = Math.min(limit ?? maxBytes, maxBytes);
  const bytes = Buffer.byteLength(subject);
  if (bytes > longest) throw new ServiceError('invalid_request', tooLong(components, facts, bytes, longest));
  return subject;
}

/**
 * Takes a profile, facts and the name of an alternate; gives the first of its forms whose condition holds. Throws a
 * ServiceError (`invalid_request`) if there is none.
 */
export function formFor({ subject: { alternates } }: Profile, facts: Facts, name: string): SubjectForm {
  const forms = alternates.get(name);
  if (!forms)
    throw new ServiceError(
      'invalid_request',
      `subject_claim must be one of ${[...alternates.keys()].join(', ')}`,
    );
  const form = forms.find(({ when }) => holds(when, facts));
  if (!form) throw new ServiceError('invalid_request', 'build fits none of the subjects of its profile');
  return form;
}

function holds(when: Condition, facts: Facts): boolean {
  return when.every(([path, expected]) => {
    const value = facts(path);
    if (expected === 'present') return value !== undefined;
    if (expected === 'absent') return value === undefined;
    return value !== undefined && expected.includes(String(value));
  });
}

function componentText(
  { pieces, reserved }: SubjectComponent,
  facts: Facts,
  write: (text: string, reserved: string) => string,
): string {
  const texts = pieces.map((piece) => {
    if ('text' in piece) return piece.text;
    const value = facts(piece.path);
    if (value === undefined && !piece.optional)
      throw new ServiceError('invalid_request', `build lacks ${fieldName(piece.path)}`);
    return write(String(value ?? ''), reserved);
  });
  return texts.join('');
}

/** Escapes by percent what would spell a separator, and `%` itself; with `strict`, all but what every relying party takes. */
function escapeValue(text: string, reserved: string, strict: boolean): string {
  if (!text.isWellFormed())
    throw new ServiceError('invalid_request', 'build holds text that is not well-formed Unicode');
  let escaped = '';
  for (const sign of text) {
    const isKept = sign !== '%' && !reserved.includes(sign) && (!strict || /[A-Za-z0-9._~@:/+-]/.test(sign));
    escaped += isKept ? sign : percent(sign);
  }
  return escaped;
}

function percent(sign: string): string {
  return [...Buffer.from(sign)]
    .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
    .join('');
}

function tooLong(
  components: readonly SubjectComponent[],
  facts: Facts,
  bytes: number,
  longest: number,
): string {
  const paths = components.flatMap(({ pieces }) =>
    pieces.flatMap((piece) => ('path' in piece ? [piece.path] : [])),
  );
  const size = (path: string) => Buffer.byteLength(String(facts(path) ?? ''));
  const named = paths.sort((a, b) => size(b) - size(a)).slice(0, 2);
  return `subject has ${bytes} bytes and may have ${longest}; longest of it: ${named.map(fieldName).join(', ')}`;
}
