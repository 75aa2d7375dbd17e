import type { Facts } from '@mayfly/profiles/facts';
import { FIELDS, type Field } from '@mayfly/profiles/fields';
import type { Profile, SubjectComponent, SubjectForm } from '@mayfly/profiles/profile';
import { formFor, subjectOf } from '@mayfly/profiles/subject';

/** A part of a subject: text that stands in the profile, or the value of a fact, escaped as it stands in `sub`. */
export type SubjectPart = { text: string; path?: string; trust?: Field['trust'] };

/** Which of a profile's subjects a build has, and its parts in their order; joined they are `sub`. */
export type SubjectParts = { alternate: string; form: number; parts: readonly SubjectPart[] };

/**
 * Takes a profile, the facts of a build and the name of a subject, if not the profile's own; gives its parts. Throws a
 * ServiceError where the build has no such subject.
 */
export function subjectParts(profile: Profile, facts: Facts, name?: string): SubjectParts {
  const alternate = name ?? profile.subject.default;
  const form = formFor(profile, facts, alternate);
  const parts = form.components.flatMap((component, index): SubjectPart[] => [
    ...(index > 0 ? [{ text: profile.subject.separator }] : []),
    ...component.pieces.map((piece) => partOf(piece, component, profile, facts)),
  ]);
  return { alternate, form: (profile.subject.alternates.get(alternate) ?? []).indexOf(form), parts };
}

function partOf(
  piece: SubjectComponent['pieces'][number],
  { reserved }: SubjectComponent,
  profile: Profile,
  facts: Facts,
): SubjectPart {
  if ('text' in piece) return { text: piece.text };
  // The profile's own code escapes it: a subject of this one piece.
  const form: SubjectForm = { when: [], components: [{ pieces: [piece], reserved }] };
  const alone = { ...profile.subject, alternates: new Map([['alone', [form]]]), maxBytes: Number.MAX_VALUE };
  const text = subjectOf({ ...profile, subject: alone }, facts, 'alone');
  return { text, path: piece.path, trust: FIELDS.get(piece.path)?.trust ?? 'user-controlled' };
}
