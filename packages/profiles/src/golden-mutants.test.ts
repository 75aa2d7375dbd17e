import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { type Goldens, given, goldenNames, goldensOf, refusals, runnerOf } from './golden.ts';
import { mutantsOf } from './mutants.ts';
import type { Profile } from './profile.ts';
import { PROFILES_DIR, readProfile } from './read.ts';

/** What may change unnoticed. */
const UNNOTICED = [
  // No array can be asked for in these systems: that one of one element is text in the token is ours, and tested in `claims.test.ts`.
  ...['buildkite', 'github', 'mayfly', 'n8n'].map((name) => `${name} audience.form asked`),
  // Whatever its subject, it needs the fact of this claim.
  'concourse claims.team.required dropped',
  'github claims.repository.required dropped',
  // Where the job is of no reusable workflow it is the workflow's own, which is required.
  'github claims.job_workflow_ref.required dropped',
  // Both are made from `ref`.
  'gitlab claims.ref.required dropped',
  'gitlab claims.ref_path.required dropped',
  // Every repository has a name, and so none without it has an id.
  'mayfly subject.alternates.default.3.when.repository.id dropped',
  'mayfly subject.alternates.default.4.when.repository.id dropped',
  // Every environment has both.
  'gitlab subject.alternates.environment.0.when.environment.protected dropped',
  'gitlab subject.alternates.environment.0.when.environment.tier dropped',
];

const profiles = await Promise.all(goldenNames().map((name) => readProfile(PROFILES_DIR, name)));

test.each(profiles.map((profile) => [profile.name, profile] as const))(
  'whatever of %s is dropped or renamed, a golden notices',
  (name, profile) => {
    const goldens = goldensOf(name);
    const unnoticed = [...mutantsOf(profile)].filter(([, mutant]) => !isNoticed(mutant, goldens));

    const known = UNNOTICED.filter((what) => what.startsWith(`${name} `));
    expect(new Set(unnoticed.map(([what]) => `${name} ${what}`))).toEqual(new Set(known));
  },
);

function isNoticed(profile: Profile, { tokens, refused, runner }: Goldens): boolean {
  const errors = refused.refused.map(({ error }) => error);
  return (
    !isDeepStrictEqual(runnerOf(profile, runner.build), runner.runner) ||
    [...tokens.values()].some(
      ({ build, ask, claims }) => !isDeepStrictEqual(given(profile, build, ask), claims),
    ) ||
    !isDeepStrictEqual(refusals(profile, refused), errors)
  );
}
