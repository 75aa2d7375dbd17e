import { describe, expect, test } from 'vitest';
import { makeTrust } from './make-trust.ts';
import { TARGETS } from './targets.ts';
import { AUDIENCES, BUILD, deployment, GOLDEN_BUILDS, made, NOW, started } from './testing.ts';
import type { Target } from './trust.ts';

const admittedToo = ({ checked }: { checked: { name: string; verdict: string }[] }) =>
  checked.filter(({ verdict }) => verdict === 'admitted').map(({ name }) => name);

const NAMES = Object.keys(TARGETS);

describe.each(NAMES)('%s', (name) => {
  test.each(['mayfly', 'github'])(
    'admits a build of profile %s, and none that is nearly the same',
    async (profile) => {
      const result = await made(name, { profile });

      expect(result.trust.judge(result.kind.claims).admitted).toBe(true);
      expect(admittedToo(result)).toEqual([]);
      const tried = result.checked.map((one) => one.name);
      expect(tried).toEqual(
        expect.arrayContaining([
          'another branch',
          'a branch whose name differs by case',
          'a tag called like the branch',
          'a repository that takes the name again',
          'a fork',
          'another source',
          'another audience',
          'a subject that differs by case',
        ]),
      );
    },
  );
});

test('a fork in the name of the repository is refused also where its own subject would not tell it', async () => {
  const result = await made('vault', { profile: 'vela' });

  expect(result.kind.pins.map(({ claim }) => claim)).toEqual(['pull_fork']);
  expect(result.checked).toContainEqual({ name: 'a fork', verdict: 'refused' });
  expect(admittedToo(result)).toEqual(['a repository that takes the name again']);
});

test('an audience that mayfly.yaml does not allow is refused with the line to change', async () => {
  const small = await deployment('mayfly', ['audiences: [https://api.example.com]']);

  expect(() => makeTrust(TARGETS['aws'] as Target, small, started(), {}, {}, NOW)).toThrow(
    /^mayfly\.yaml:5 does not allow the audience sts\.amazonaws\.com: add it there/,
  );
  expect(() => makeTrust(TARGETS['vault'] as Target, small, started(), {}, {}, NOW)).toThrow(
    /name it with --audience/,
  );
});

test('what an audience is for is found among those that the build declares and policy allows', async () => {
  const declared = started(BUILD, {
    A: { aud: 'https://other.example' },
    V: { aud: 'https://vault.example.com' },
  });

  const { kind } = makeTrust(TARGETS['vault'] as Target, await deployment(), declared, {}, {}, NOW);

  expect(kind.audience).toBe(AUDIENCES['vault']);
});

test.each(['gcp', 'azure', 'sigstore'])(
  '%s takes no subject that differs from build to build, and says which to ask for',
  async (name) => {
    const { build, profile } = GOLDEN_BUILDS.find(
      ({ file, profile: one }) => one === 'buildkite' && file === 'branch.json',
    ) ?? { profile: '' };

    await expect(made(name, { ...(build && { build }), profile })).rejects.toThrow(
      /holds sha, .*--subject-claim organization_id or pipeline_id/,
    );
  },
);

test.each(['aws', 'vault', 'octo-sts'])(
  '%s takes such a subject by a pattern, but not one of which nothing lasts',
  async (name) => {
    const golden = GOLDEN_BUILDS.find(
      ({ file, profile }) => profile === 'buildkite' && file === 'branch.json',
    );
    const build = golden?.build ?? BUILD;

    const { kind, trust } = await made(name, { build, profile: 'buildkite' });
    const next = { ...kind.claims, sub: kind.subject.replace(String(build.sha), 'another') };

    expect(trust.judge(next).admitted).toBe(true);
    expect(trust.judge({ ...next, sub: String(next.sub).replace(':ref:', ':ref:x') }).admitted).toBe(false);
    await expect(made(name, { build, profile: 'buildkite', subjectClaim: 'build_id' })).rejects.toThrow(
      /holds nothing but id/,
    );
  },
);

test('a branch with signs that cannot be seen is not made into something to paste', async () => {
  const build = { ...BUILD, ref: 'refs/heads/main\u202e' };

  await expect(made('azure', { build, profile: 'github' })).rejects.toThrow(
    /signs that cannot be seen.*immutable or names|names/,
  );
  expect((await made('azure', { build })).kind.subject).toMatch(/main%E2%80%AE$/);
});

test('a name with a * is not put into a glob of Vault, which has no way to write it', async () => {
  const golden = GOLDEN_BUILDS.find(({ file, profile }) => profile === 'buildkite' && file === 'branch.json');
  const build = { ...(golden?.build ?? BUILD), pipeline: { id: '1', name: 'a*' } };

  await expect(made('vault', { build, profile: 'buildkite' })).rejects.toThrow(
    /holds a \*, which a glob of Vault's cannot/,
  );
});
