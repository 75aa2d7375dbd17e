import { FIELDS } from './fields.ts';
import type { Profile, SubjectComponent, SubjectForm } from './profile.ts';
import type { FormEntry, ProfileFile } from './profile-file.ts';
import { type Report, templateAt } from './report.ts';
import { type Piece, pathsOf } from './template.ts';
import type { Place } from './yaml.ts';

type Form = SubjectForm & { at: Place };

/** Longest subject where a profile sets no limit of its own: what OIDC Core §2 allows. */
const LONGEST_SUBJECT_BYTES = 255;

/** Takes the subject section of a profile; gives its alternates, with every fault reported. */
export function compileSubject(file: ProfileFile['subject'], report: Report): Profile['subject'] {
  const { separator, requestable = [], default: fallback = 'default' } = file;
  const strict = file.escape === 'strict';
  const alternates = new Map(
    Object.entries(file.alternates).map(([name, entry]) => [
      name,
      compileAlternate(name, entry, separator, report),
    ]),
  );
  for (const form of [...alternates.values()].flat()) reportForm(form, strict, report);
  if (!alternates.has(fallback)) report(['subject', 'default'], `${fallback} is no alternate`);
  for (const name of requestable)
    if (!alternates.has(name)) report(['subject', 'requestable'], `${name} is no alternate`);
  for (const name of alternates.keys()) {
    // One alternate is the source's own; those that may be asked for stand beside it.
    const together = new Set([name, ...requestable]);
    reportConfusable(
      [...together].flatMap((one) => alternates.get(one) ?? []),
      report,
    );
  }
  return {
    separator,
    strict,
    maxBytes: file.max_bytes ?? LONGEST_SUBJECT_BYTES,
    default: fallback,
    requestable,
    alternates,
  };
}

function compileAlternate(
  name: string,
  entry: string | FormEntry[],
  separator: string,
  report: Report,
): Form[] {
  const at = ['subject', 'alternates', name];
  if (typeof entry === 'string') return [compileForm({ template: entry }, separator, at, report)];
  for (const [index, form] of entry.entries()) {
    if (!form.when && index < entry.length - 1)
      report([...at, `${index}`], 'has no condition, so that nothing after it is ever used');
  }
  return entry.map((form, index) => compileForm(form, separator, [...at, `${index}`], report));
}

function compileForm({ when, template }: FormEntry, separator: string, at: Place, report: Report): Form {
  const groups = templateAt(template, at, report);
  if (groups.length > 1) report(at, 'a subject has no optional parts; write an alternate with a condition');
  for (const path of Object.keys(when ?? {}))
    if (!FIELDS.has(path)) report([...at, 'when', path], `${path} is no field of a build`);
  if (template.startsWith(separator) || template.endsWith(separator))
    report(at, 'a subject neither begins nor ends with its separator');
  const components = split(groups[0] ?? [], separator).map((pieces) => compileComponent(pieces, at, report));
  return { at, when: Object.entries(when ?? {}), components };
}

/** What fixed text may hold is what `escape: strict` leaves of a value; and a subject is not only what users choose. */
function reportForm({ at, components }: Form, strict: boolean, report: Report): void {
  const pieces = components.flatMap((component) => component.pieces);
  const text = pieces.flatMap((piece) => ('text' in piece ? [piece.text] : [])).join('');
  if (strict && /[^A-Za-z0-9._~@:/+-]/.test(text)) report(at, 'has text that `escape: strict` forbids');
  const certain = pieces.some((piece) => 'path' in piece && !piece.optional && isTrustedPath(piece.path));
  if (!certain && pieces.some((piece) => 'path' in piece))
    report(at, 'is made of nothing but what users control, so that anyone could have it');
}

function split(pieces: readonly Piece[], separator: string): Piece[][] {
  const components: Piece[][] = [[]];
  for (const piece of pieces) {
    if (!('text' in piece)) {
      components.at(-1)?.push(piece);
      continue;
    }
    for (const [index, text] of piece.text.split(separator).entries()) {
      if (index > 0) components.push([]);
      if (text) components.at(-1)?.push({ text });
    }
  }
  return components;
}

function compileComponent(pieces: Piece[], at: Place, report: Report): SubjectComponent {
  const values = pieces.filter((piece) => 'path' in piece);
  for (const [index, piece] of pieces.entries()) {
    const next = pieces[index + 1];
    if ('path' in piece && next && 'path' in next)
      report(
        at,
        `${piece.path} and ${next.path} have nothing between them, so that one could spell the other`,
      );
  }
  const text = pieces.flatMap((piece) => ('text' in piece ? [piece.text] : [])).join('');
  if (/[%\p{C}\s]/u.test(text)) report(at, 'has text that a subject cannot hold');
  return { pieces, reserved: values.length > 1 ? text : '' };
}

function reportConfusable(forms: readonly Form[], report: Report): void {
  for (const [index, one] of forms.entries()) {
    for (const other of forms.slice(index + 1)) {
      if (isSame(one, other) || areApart(one, other) || (isTrusted(one) && isTrusted(other))) continue;
      report(
        other.at,
        `can spell the subject of ${one.at.join('.')}: no part of their text tells them apart`,
      );
    }
  }
}

/** Two forms are apart where they have unlike numbers of components, or unlike fixed text in one place. */
function areApart(one: Form, other: Form): boolean {
  if (one.components.length !== other.components.length) return true;
  return one.components.some((component, index) => {
    const [text, against] = [fixedText(component), fixedText(other.components[index] as SubjectComponent)];
    return text !== undefined && against !== undefined && text !== against;
  });
}

function isSame(one: Form, other: Form): boolean {
  return JSON.stringify(one.components) === JSON.stringify(other.components);
}

function fixedText({ pieces }: SubjectComponent): string | undefined {
  return pieces.every((piece) => 'text' in piece)
    ? pieces.map((piece) => ('text' in piece ? piece.text : '')).join('')
    : undefined;
}

function isTrusted({ components }: Form): boolean {
  const paths = pathsOf(components.map(({ pieces }) => pieces));
  return paths.every(isTrustedPath);
}

function isTrustedPath(path: string): boolean {
  return FIELDS.get(path)?.trust === 'trusted';
}
