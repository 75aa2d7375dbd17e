import type { Build } from '@mayfly/contracts/build';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { factsOf } from './facts.ts';
import { FIELDS } from './fields.ts';
import type { Profile, SubjectComponent } from './profile.ts';
import { PROFILES_DIR, readProfile, SHIPPED_PROFILES } from './read.ts';
import { formFor, subjectOf } from './subject.ts';
import { admit } from './testing.ts';

const profiles = await Promise.all(SHIPPED_PROFILES.map((name) => readProfile(PROFILES_DIR, name)));
const cases = profiles.flatMap((profile) =>
  [...profile.subject.alternates.keys()].map((name): [string, string, Profile] => [
    profile.name,
    name,
    widened(profile),
  ]),
);

/** What names are made of by somebody who wants to spell another subject. */
const pieces = [
  'a',
  'b',
  ':',
  '/',
  '%',
  '@',
  '%3A',
  '%2F',
  '%25',
  ':ref:',
  ':environment:',
  'refs/heads/',
  'pull_request',
];
const nasty = fc
  .array(fc.constantFrom(...pieces, 'ref', 'job', 'é', ' ', '"', '🐝'), { maxLength: 4 })
  .map((parts) => parts.join(''));

describe.each(cases)('%s, subject %s', (_, name, profile) => {
  const paths = pathsOf(profile);
  const facts = fc.record(Object.fromEntries(paths.map((path) => [path, fc.oneof(nasty, fc.constant(''))])));

  test('no values spell the subject of other values', () => {
    fc.assert(
      fc.property(fc.array(facts, { minLength: 150, maxLength: 300 }), (all) => {
        const seen = new Map<string, string>();
        for (const values of all) {
          const read = reading(values);
          const subject = attempt(() => subjectOf(profile, read, name));
          if (subject === undefined) continue;
          const used = JSON.stringify(usedBy(profile, read, name));
          expect(seen.get(subject) ?? used).toBe(used);
          seen.set(subject, used);
        }
      }),
      { numRuns: 15 },
    );
  });

  test('a subject comes apart into the values that it was made of', () => {
    fc.assert(
      fc.property(facts, (values) => {
        const read = reading(values);
        const subject = attempt(() => subjectOf(profile, read, name));
        fc.pre(subject !== undefined);
        const { components } = formFor(profile, read, name);

        const parts = subject.split(profile.subject.separator).map(decodeURIComponent);

        expect(parts.length).toBe(components.length);
        const whole = components.map(({ pieces: of }) =>
          of.map((one) => ('text' in one ? one.text : String(read(one.path) ?? ''))).join(''),
        );
        expect(parts).toEqual(whole);
        for (const [index, component] of components.entries())
          expect(valuesIn(component, subject.split(profile.subject.separator)[index] as string)).toEqual(
            valuesOf(component, read),
          );
      }),
    );
  });

  test('subjects that may be asked for are never those of another kind, but where only the CI decides both', () => {
    const free = (alternate: string) =>
      (profile.subject.alternates.get(alternate) ?? []).some(({ components }) =>
        components.some(({ pieces: of }) =>
          of.some((one) => 'path' in one && FIELDS.get(one.path)?.trust === 'user-controlled'),
        ),
      );
    const others = profile.subject.requestable.filter(
      (other) => other !== name && (free(name) || free(other)),
    );
    fc.assert(
      fc.property(facts, facts, fc.constantFrom('', ...others), (one, two, other) => {
        fc.pre(other !== '');
        const subject = attempt(() => subjectOf(profile, reading(one), name));
        fc.pre(subject !== undefined);
        const same =
          JSON.stringify(formFor(profile, reading(one), name).components) ===
          JSON.stringify(profile.subject.alternates.get(other)?.[0]?.components);

        const against = attempt(() => subjectOf(profile, reading(two), other));

        if (!same) expect(subject).not.toBe(against);
      }),
      { numRuns: others.length > 0 ? 200 : 0 },
    );
  });
});

test.each(profiles.map((profile): [string, Profile] => [profile.name, profile]))(
  'in %s, a branch of any name has a subject of its own',
  (_, profile) => {
    const subjects = new Map<string, string>();
    fc.assert(
      fc.property(nasty, fc.constantFrom('heads', 'tags'), (branch, kind) => {
        fc.pre(branch !== '');
        const ref = `refs/${kind}/${branch}`;
        const read = factsOf(admit(build(ref)));
        const subject = subjectOf(widened(profile), read);
        const isNamed = pathsIn(profile, read).some((path) => path === 'ref' || path === 'derived.ref_name');
        if (isNamed) expect(subjects.get(subject) ?? ref).toBe(ref);
        subjects.set(subject, ref);
      }),
      { numRuns: 2000 },
    );
  },
);

test('mayfly and n8n keep to the signs that every relying party takes, within 127 bytes', () => {
  const ours = profiles.filter(({ name }) => name === 'mayfly' || name === 'n8n');
  expect(ours.length).toBe(2);
  for (const profile of ours) {
    const facts = fc.record(
      Object.fromEntries(
        pathsOf(profile).map((path) => [path, fc.string({ unit: 'grapheme', maxLength: 60 })]),
      ),
    );
    fc.assert(
      fc.property(facts, (values) => {
        const subject = attempt(() => subjectOf(profile, reading(values)));
        fc.pre(subject !== undefined);

        expect(subject).toMatch(/^[A-Za-z0-9._~@%:/+-]{1,127}$/);
      }),
    );
  }
});

test('a subject that is too long is refused, naming what makes it so', async () => {
  const profile = await readProfile(PROFILES_DIR, 'mayfly');
  const facts = factsOf(admit(build(`refs/heads/${'x'.repeat(120)}`)));

  expect(() => subjectOf(profile, facts)).toThrow(
    /has 147 bytes and may have 127; longest of it: ref, repository.id/,
  );
  expect(subjectOf(profile, facts, 'repository')).toBe('repo:456789');
  expect(() => subjectOf(profile, facts, 'repository', 10)).toThrow(/may have 10/);
});

test('text that is not well-formed Unicode is refused, for two of it could be written alike', async () => {
  const profile = await readProfile(PROFILES_DIR, 'mayfly');

  expect(() => subjectOf(profile, factsOf(admit(build('refs/heads/\ud800'))))).toThrow(/well-formed/);
});

test('a missing fact is named as the CI would send it', async () => {
  const [mayfly, gitlab] = await Promise.all([
    readProfile(PROFILES_DIR, 'mayfly'),
    readProfile(PROFILES_DIR, 'gitlab'),
  ]);
  const { ref: _, ...without } = build('');

  expect(() => subjectOf(mayfly, factsOf(admit(without)))).toThrow('build lacks ref');
  expect(() => subjectOf(gitlab, factsOf(admit({ id: '1' })))).toThrow('build lacks repository.name');
  expect(() => subjectOf(mayfly, factsOf(admit({ id: '1' })))).toThrow('build lacks repository.id');
});

test.each(['mayfly', 'gitlab'])(
  'in %s, a fork never has a subject of the repository that it is a fork of',
  async (name) => {
    const profile = await readProfile(PROFILES_DIR, name);
    const known: Build = { ...build('refs/heads/main'), ref_protected: true };
    const forks: Build[] = [
      { ...known, source_repository: { id: '666', name: 'mallory/hello' } },
      { ...known, fork: true },
    ];
    for (const alternate of profile.subject.alternates.keys()) {
      const own = subjectOf(profile, factsOf(admit(known)), alternate);

      for (const forked of forks)
        expect(attempt(() => subjectOf(profile, factsOf(admit(forked)), alternate))).not.toBe(own);
    }
  },
);

function build(ref: string): Build {
  const named = { id: '456789', name: 'octo/hello', owner: { id: '1', name: 'octo' } };
  return {
    ...{ id: 'b-1', number: 1, repository: named, ref, sha: '9fceb02', event: 'push' },
    organization: { id: '3', name: 'octo' },
    pipeline: { id: '12', name: 'release' },
    job: { id: '5', name: 'deploy' },
    workflow: { id: 'w1' },
  };
}

/** The profile without its limit, so that only the form of its subjects counts. */
function widened(profile: Profile): Profile {
  return { ...profile, subject: { ...profile.subject, maxBytes: 10_000 } };
}

function pathsOf({ subject }: Profile): string[] {
  const forms = [...subject.alternates.values()].flat();
  const within = forms.flatMap(({ when, components }) => [
    ...when.map(([path]) => path),
    ...components.flatMap(({ pieces: of }) => of.flatMap((one) => ('path' in one ? [one.path] : []))),
  ]);
  return [...new Set(within)];
}

function pathsIn(profile: Profile, read: (path: string) => unknown): string[] {
  const { components } = formFor(profile, read, profile.subject.default);
  return components.flatMap(({ pieces: of }) => of.flatMap((one) => ('path' in one ? [one.path] : [])));
}

function reading(values: Record<string, string>): (path: string) => unknown {
  return (path) => values[path] || undefined;
}

function usedBy(profile: Profile, read: (path: string) => unknown, name: string): unknown[] {
  const { components } = formFor(profile, read, name);
  return components.flatMap(({ pieces: of }) =>
    of.map((one) => ('text' in one ? one.text : (read(one.path) ?? ''))),
  );
}

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch {
    return undefined;
  }
}

/** Takes a component apart at its own text alone; a value that holds some of that text is not found again. */
function valuesIn({ pieces: of, reserved }: SubjectComponent, text: string): string[] | undefined {
  const quoted = (plain: string) => plain.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const value = reserved ? `([^${quoted(reserved)}]*)` : '(.*)';
  const pattern = of.map((one) => ('text' in one ? quoted(one.text) : value)).join('');
  return new RegExp(`^${pattern}$`, 's').exec(text)?.slice(1).map(decodeURIComponent);
}

function valuesOf({ pieces: of }: SubjectComponent, read: (path: string) => unknown): string[] {
  return of.flatMap((one) => ('path' in one ? [String(read(one.path) ?? '')] : []));
}
