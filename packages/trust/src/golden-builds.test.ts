import { describe, expect, test } from 'vitest';
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

describe.each(Object.keys(TARGETS))('%s, for every golden build that it can take whole', (name) => {
  test('says whom it cannot tell from it, and which builds of the same kind it admits', async () => {
    const found = await allMade(name);

    const named = (wanted: string) => {
      const all = found.flatMap(({ profile, result: { checked } }) =>
        checked.filter(({ verdict }) => verdict === wanted).map(({ name: other }) => ({ profile, other })),
      );
      const byProfile = Object.entries(Object.groupBy(all, ({ profile }) => profile));
      return Object.fromEntries(
        byProfile.map(([profile, some = []]) => [
          profile,
          [...new Set(some.map(({ other }) => other))].sort(),
        ]),
      );
    };
    const isByName = SEES_SUBJECT_ONLY.includes(name);
    expect(named('admitted')).toEqual(isByName ? UNTOLD_BY_SUBJECT : UNTOLD_BY_CLAIMS);
    expect(named('same kind')).toEqual(SAME_KIND);
  });

  test('every change admits whom it is said to, and nobody else that was tried', async () => {
    let count = 0;
    for (const { result, others } of await allMade(name)) {
      const before = others.filter(
        ({ claims, isForged }) =>
          claims && isForged !== 'subject' && result.trust.judge(claims).admitted === false,
      );
      for (const { change, tried } of result.widen) {
        count += 1;
        expect(tried).not.toEqual([]);
        expect(before.map((one) => one.name)).toEqual(expect.arrayContaining(tried));
        const judge = APPLIED[name]?.(result, change);
        const admitted = before.filter(({ claims }) => judge?.(claims ?? {})).map((one) => one.name);
        if (judge) expect([change, admitted]).toEqual([change, tried]);
      }
    }
    expect(count).toBeGreaterThan(name === 'azure' ? 5 : 50);
  });
});

const BRANCHES = [
  'a branch whose name begins the same',
  'a branch whose name differs by case',
  'a tag called like the branch',
  'another branch',
];
const AGAINS = ['a pipeline that takes the name again', 'an organization that takes the name again'];
const AGAIN = 'a repository that takes the name again';

const EVENTS = ['a pull or merge request of the same ref', 'another event, such as a schedule'];
const ELSEWHERE = 'a build for an environment';
const NEXT = 'the next build';
/** As much a policy leaves open on purpose: it is said. */
const SAME_KIND = {
  buildkite: [...EVENTS, 'another step', NEXT],
  concourse: ['another instance of the pipeline', 'another job', NEXT],
  github: [...EVENTS, NEXT],
  gitlab: [ELSEWHERE, ...EVENTS, 'another job', NEXT],
  mayfly: [ELSEWHERE, ...EVENTS, 'another job', 'another pipeline of the repository', 'another step', NEXT],
  n8n: [NEXT],
  vela: [NEXT],
};

const SEES_SUBJECT_ONLY = ['aws', 'azure'];
const UNTOLD_BY_SUBJECT = {
  buildkite: [...BRANCHES, ...AGAINS, 'another pipeline'].sort(),
  concourse: [...AGAINS, 'another pipeline'].sort(),
  github: [...BRANCHES, AGAIN].sort(),
  gitlab: [...BRANCHES, AGAIN, 'another environment'].sort(),
  // A subject of the pipeline alone is that of all it builds.
  mayfly: [
    ...[...BRANCHES, AGAIN, 'another environment'],
    ...['another repository of the same owner', 'another workflow'],
  ].sort(),
  n8n: ['another workflow'],
  vela: ['a fork', AGAIN, 'another environment'],
};
/** Vela's tokens have no ids, and Buildkite's of a tag say its name as that of a branch. */
const UNTOLD_BY_CLAIMS = {
  buildkite: ['a tag called like the branch', ...AGAINS].sort(),
  vela: [AGAIN, 'another environment'],
};

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

type Made = { profile: string; result: MadeTrust; others: NearMiss[] };

const made_ = new Map<string, Promise<Made[]>>();

/** Makes a relying party's policy for each golden build, once; one that it does not take whole says why. */
function allMade(name: string): Promise<Made[]> {
  const found =
    made_.get(name) ?? Promise.all(GOLDEN_BUILDS.map((one) => ofGolden(name, one))).then((all) => all.flat());
  made_.set(name, found);
  return found;
}

async function ofGolden(
  name: string,
  { profile, file, build, subjectClaim }: (typeof GOLDEN_BUILDS)[number],
): Promise<Made[]> {
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
    return [
      { profile, result, others: nearMisses(await deployment(profile, lines), started(build), asked, NOW) },
    ];
  } catch (error) {
    expect((error as Error).message).toMatch(
      /^(the subject (holds|has)|subject has|.* has signs|octo-sts takes)/,
    );
    return [];
  }
}
