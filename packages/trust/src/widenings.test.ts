import { expect, test } from 'vitest';
import { GOLDEN_BUILDS, made } from './testing.ts';

const widened = async (...given: Parameters<typeof made>) =>
  (await made(...given)).widen.map(({ change, admits }) => `${change}: ${admits}`);

test('a fact that is left open admits others of it, and is said to be whose choice', async () => {
  const changes = await widened('aws');

  expect(changes.find((one) => one.includes('"repo:*:ref:refs/heads/main"'))).toMatch(
    /: .*a repository that takes the name again, a fork/,
  );
  expect(changes.find((one) => one.includes('"repo:456789:ref:*"'))).toMatch(
    /: another branch.*; whoever can push/,
  );
});

test('facts of a subject that change together are left open together', async () => {
  const changes = await widened('vault', { profile: 'github' });

  expect(changes.find((one) => /"sub":"repo:octo@123456\/\*@\*:ref:refs\/heads\/main"/.test(one))).toMatch(
    /: another repository of the same owner, a repository that takes the name again/,
  );
});

test('claims that cover each other are left out together, and one alone that admits nobody is not offered', async () => {
  const lines = ["audiences: ['*']", 'subject: names'];

  for (const name of ['vault', 'octo-sts', 'sigstore']) {
    const changes = await widened(name, { profile: 'github', lines });
    expect(changes.find((one) => /repo:(\*|\[\^:\]\*):ref/.test(one))).toMatch(
      /leave repository_id out of .*: another rep/,
    );
  }
  const pipelines = await widened('vault', { profile: 'gitlab', lines: ["audiences: ['*']"], build: GITLAB });
  expect(pipelines.join('\n')).toMatch(/leave job_project_id and project_id out of bound_claims/);
  for (const { build, profile } of GOLDEN_BUILDS.filter(
    (one) => one.file === 'branch.json' && one.profile === 'buildkite',
  ))
    expect((await widened('vault', { build, profile })).join('\n')).not.toMatch(/bound_subject/);
});

const GITLAB = GOLDEN_BUILDS.find(({ file, profile }) => profile === 'gitlab' && file === 'branch.json')
  ?.build ?? {
  id: 'none',
};

test('Azure, which compares whole subjects, is told who shares each other subject of the source', async () => {
  const changes = await widened('azure');

  expect(changes).toHaveLength(1);
  expect(changes[0]).toMatch(
    /^the subject repo:456789 \(--subject-claim repository, or sources\.ci\.subject: repository in mayfly\.yaml\): another branch, .*, which have the same$/,
  );
  expect(changes[0]).not.toMatch(/another repository|a fork/);
});

test('what octo-sts is widened by reaches no other part of the subject, where AWS and Vault let a * do so', async () => {
  const opened = async (name: string) =>
    (await widened(name)).find((change) => /repo:(\*|\[|\.\*)/.test(change)) ?? '';

  expect(await opened('octo-sts')).toMatch(/another repository of the same owner/);
  expect(await opened('octo-sts')).not.toMatch(/a fork/);
  expect(await opened('vault')).toMatch(/a fork/);
});
