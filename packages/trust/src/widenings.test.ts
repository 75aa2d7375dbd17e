import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { evaluateAws } from './aws-evaluate.ts';
import { readAwsPolicy } from './aws-policy.ts';
import type { MadeTrust } from './make-trust.ts';
import { type NearMiss, nearMisses } from './near-misses.ts';
import { evaluateOcto, type OctoPolicy } from './octo-policy.ts';
import { TARGETS } from './targets.ts';
import { deployment, GOLDEN_BUILDS, made, NOW, started } from './testing.ts';
import type { TokenClaims } from './token-of.ts';
import { evaluateVault } from './vault-evaluate.ts';
import { readVaultRole } from './vault-role.ts';

const widened = async (...given: Parameters<typeof made>) =>
  (await made(...given)).widen.map(({ change, admits }) => `${change}: ${admits}`);

/** Makes the change that a text tells, as a person would; gives what the policy says then. */
const APPLIED: Record<string, (result: MadeTrust, change: string) => (claims: TokenClaims) => boolean> = {
  aws({ trust }, change) {
    const policy = JSON.parse(trust.texts[0]?.text ?? '');
    const { Condition } = policy.Statement[0];
    const key = Object.keys(Condition.StringEquals).find((one) => one.endsWith(':aud')) ?? '';
    const sub = key.replace(/aud$/, 'sub');
    const [, pattern] = /StringLike "[^"]+": ("(?:[^"\\]|\\.)*") in place/.exec(change) ?? [];
    if (pattern !== undefined || change.includes(`"${sub}"`)) delete Condition.StringEquals[sub];
    if (change === `leave out "${sub}"`) delete Condition.StringLike;
    if (pattern !== undefined) Condition.StringLike = { [sub]: JSON.parse(pattern) };
    if (change === `leave out "${key}"`) delete Condition.StringEquals[key];
    const [, tags = ''] = /RequestTag of (.*)$/.exec(change) ?? [];
    for (const tag of tags.split(' and ')) delete Condition.StringEquals[`aws:RequestTag/${tag}`];
    const read = readAwsPolicy(policy);
    return (claims) => evaluateAws(read, claims).admitted === true;
  },
  vault({ trust, kind }, change) {
    const role = JSON.parse(trust.texts[0]?.text ?? '');
    const [, glob] = /"sub":("(?:[^"\\]|\\.)*") in bound_claims/.exec(change) ?? [];
    if (glob !== undefined) role.bound_claims = { ...role.bound_claims, sub: JSON.parse(glob) };
    if (change.includes('bound_subject')) delete role.bound_subject;
    if (change.includes('"glob"')) role.bound_claims_type = 'glob';
    const [, names = ''] = /leave (.*) out of bound_claims$/.exec(change) ?? [];
    for (const name of names.split(' and ')) delete role.bound_claims?.[name];
    const read = { ...readVaultRole(role), boundIssuer: kind.issuer };
    return (claims) => evaluateVault(read, claims).admitted === true;
  },
  'octo-sts'({ trust }, change) {
    const policy = parse(trust.texts[0]?.text ?? '') as OctoPolicy;
    const [, pattern] = /subject_pattern: '(.*)' in place of subject/.exec(change) ?? [];
    if (pattern !== undefined) policy.subject_pattern = pattern;
    const [, names = ''] = /leave (.*) out of claim_pattern$/.exec(change) ?? [];
    for (const name of names.split(' and ')) delete policy.claim_pattern?.[name];
    return (claims) => evaluateOcto(policy, claims).admitted === true;
  },
};

test.each(Object.keys(TARGETS))(
  '%s: every change admits whom it is said to, and nobody else that was tried, for every golden build',
  async (name) => {
    let count = 0;
    for (const golden of GOLDEN_BUILDS)
      for (const [result, others] of await ofGolden(name, golden))
        for (const { change, tried } of result.widen) {
          count += 1;
          expect(tried).not.toEqual([]);
          const before = others.filter(
            ({ claims, isForged }) =>
              claims && isForged !== 'subject' && result.trust.judge(claims).admitted === false,
          );
          expect(before.map((one) => one.name)).toEqual(expect.arrayContaining(tried));
          const judge = APPLIED[name]?.(result, change);
          if (judge)
            expect([
              change,
              before.filter(({ claims }) => judge(claims ?? {})).map((one) => one.name),
            ]).toEqual([change, tried]);
        }
    expect(count).toBeGreaterThan(name === 'azure' ? 5 : 50);
  },
);

/** What is made of a golden build, and what it was tried on; nothing where the relying party does not take it. */
async function ofGolden(
  name: string,
  { profile, file, build, subjectClaim }: (typeof GOLDEN_BUILDS)[number],
): Promise<[MadeTrust, NearMiss[]][]> {
  const isSet = subjectClaim !== undefined && /github|gitlab/.test(profile);
  const lines = [
    "audiences: ['*']",
    ...(isSet ? [`subject: ${subjectClaim}`] : []),
    ...(file.includes('fork') ? ['forks: allow'] : []),
  ];
  const wish = isSet || subjectClaim === undefined ? {} : { subjectClaim };
  try {
    const result = await made(name, { build, profile, lines, ...wish });
    const asked = { audience: result.kind.audience, ...wish };
    return [[result, nearMisses(await deployment(profile, lines), started(build), asked, NOW)]];
  } catch {
    return [];
  }
}

test('a fact that is left open admits others of it, and is said to be whose choice', async () => {
  const changes = await widened('aws');

  expect(changes.find((one) => one.includes('"repo:*:ref:refs/heads/main"'))).toMatch(
    /: .*a repository that takes the name again, a fork/,
  );
  expect(changes.find((one) => one.includes('"repo:456789:ref:*"'))).toMatch(
    /: another branch.*; whoever can push/,
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
