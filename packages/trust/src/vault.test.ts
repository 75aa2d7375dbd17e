import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { describe, expect, test } from 'vitest';
import { checkPolicy } from './check-policy.ts';
import { isUserControlled, pathsOfClaim } from './claim-origins.ts';
import { readTrustPolicy } from './read-trust-policy.ts';
import { evaluateVault, vaultGlob } from './vault-evaluate.ts';
import { VAULT_CLAIMS, VAULT_ROLE, VAULT_VERDICTS } from './vault-in-test.ts';
import { readVaultRole } from './vault-role.ts';

const judge = (role: object, claims: object = VAULT_CLAIMS) => {
  const { admitted, reasons } = evaluateVault(readVaultRole({ ...VAULT_ROLE, ...role }), { ...claims });
  return admitted === true ? 'admitted' : reasons[0];
};
const PROFILES = await Promise.all(
  ['mayfly', 'github', 'buildkite', 'concourse'].map((name) => readProfile(PROFILES_DIR, name)),
);
const known = {
  isUserControlled: (claim: string) => isUserControlled(PROFILES, claim),
  pathsOf: (claim: string) => pathsOfClaim(PROFILES, claim),
};
const warnings = (role: object) =>
  checkPolicy(readTrustPolicy(JSON.stringify({ data: { ...VAULT_ROLE, ...role } })), VAULT_CLAIMS, known)
    .warnings.map(({ what }) => what)
    .join('\n');

describe('a role takes a token as the plugin does', () => {
  test.each(VAULT_VERDICTS)('%j: %s', (role, expected) => {
    expect(judge(role)).toMatch(expected);
  });
});

test('in a glob only * is wild', () => {
  expect(vaultGlob('a.c', 'abc')).toBe(false);
  expect(vaultGlob('a?c', 'abc')).toBe(false);
  expect(vaultGlob('a*c', 'a/b:c')).toBe(true);
  expect(vaultGlob('', '')).toBe(true);
  expect(vaultGlob('a*', 'ba')).toBe(false);
});

describe('a role that admits more or less than it looks like is warned of', () => {
  test.each<[string, object, RegExp]>([
    ['nothing bound', {}, /nothing but the audience is bound/],
    [
      'only what a branch name can set',
      { bound_claims: { ref: 'refs/heads/main' } },
      /bound_claims holds ref only, and whoever can push/,
    ],
    ['no audience', { bound_audiences: [], bound_subject: 'x' }, /Vault refuses all/],
    [
      'a glob at the front',
      { bound_claims: { repository: '*/hello' }, bound_claims_type: 'glob' },
      /\* at the front/,
    ],
    [
      'a glob over the organization',
      { bound_claims: { repository: 'octo/*' }, bound_claims_type: 'glob' },
      /every repository of the organization/,
    ],
    [
      'a glob over a branch',
      { bound_claims: { repository_id: '7', ref: 'refs/heads/*' }, bound_claims_type: 'glob' },
      /whoever can push .* what the \* stands for/,
    ],
    [
      'a glob of sub',
      { bound_claims: { sub: 'repo:7:*' }, bound_claims_type: 'glob' },
      /bound_claims sub repo:7:\*: the \* stands for ref/,
    ],
    ['a * that is none', { bound_claims: { repository: 'octo/*' } }, /has a \*, which stands for itself/],
    ['a number for a text', { bound_claims: { repository_id: 7 } }, /is a number and the claim is a string/],
    ['an entity a build', { bound_subject: 'x', user_claim: 'jti' }, /makes an entity of every build/],
    ["another's entity", { bound_subject: 'x', user_claim: 'ref' }, /take another's entity/],
    ['templated policies', { bound_subject: 'x', claim_mappings: { ref: 'ref' } }, /into templated policies/],
    ['a long life', { bound_subject: 'x', token_explicit_max_ttl: '24h' }, /outlive the build by hours/],
    ['role_type', { bound_subject: 'x', role_type: 'oidc' }, /role_type is oidc/],
  ])('%s', (_, role, expected) => {
    expect(warnings(role)).toMatch(expected);
  });

  test.each<[object, RegExp]>([
    [{ ref: 'refs/heads/main', ref_protected: 'true' }, /of every one of the source/],
    [{ ref_protected: 'true' }, /of every one of the source/],
    [{ fork: 'false', ref: 'refs/heads/main' }, /of every one of the source/],
    [{ source: 'ci', event: 'push' }, /of every one of the source/],
    [{ actor: 'octocat' }, /of every one of the source/],
    [{ repository_owner: 'octo' }, /every one of that owner/],
    [{ '/repository_owner': 'octo', ref_protected: 'true' }, /every one of that owner/],
    [{ organization_slug: 'octo' }, /every one of that owner/],
    [{ workflow: 'CI' }, /whoever can push or name something decides that/],
  ])('no claim of %j says which repository', (bound_claims, expected) => {
    expect(warnings({ bound_claims })).toMatch(/^bound_claims holds .*no claim here says which repository/);
    expect(warnings({ bound_claims })).toMatch(expected);
  });

  test.each<object>([
    { bound_subject: VAULT_CLAIMS.sub },
    { bound_claims: { repository_id: '7' } },
    { bound_claims: { '/repository_id': '7' } },
    { bound_claims: { repository: 'octo/hello', ref: 'refs/heads/main' } },
    { bound_claims: { sub: VAULT_CLAIMS.sub } },
    { bound_claims: { workflow_id: 'w1' } },
    { bound_claims: { team: 'main', pipeline: 'release' } },
  ])('and %j, which says which, is not', (role) => {
    expect(warnings(role)).toBe('');
  });

  test('limits that Vault gives as zero are none', () => {
    const asVaultGivesIt = { token_explicit_max_ttl: 0, token_max_ttl: 60, token_period: 0 };
    expect(warnings({ bound_subject: VAULT_CLAIMS.sub, ...asVaultGivesIt })).toBe('');
  });
});

test('what is no role is refused with what to give', () => {
  expect(() => readVaultRole([])).toThrow(/: give the role \(vault read/);
  expect(() => readVaultRole({ bound_subject: 'x' })).toThrow(/no user_claim/);
  expect(() => readTrustPolicy('role "x" {}')).toThrow(
    /is not JSON: give an AWS trust policy .*, or a role of Vault/,
  );
});

test('of builds that are nearly the same, those that are admitted too are named', () => {
  const others = [
    { name: 'another branch', claims: { ...VAULT_CLAIMS, sub: 'repo:7:ref:refs/heads/x' } },
    { name: 'another repository', claims: { ...VAULT_CLAIMS, repository_id: '8' } },
    { name: 'another issuer', claims: { ...VAULT_CLAIMS, iss: 'https://other.example' } },
    { name: 'a fork', claims: undefined },
  ];
  const role = JSON.stringify({ ...VAULT_ROLE, bound_claims: { repository_id: '7' } });

  expect(checkPolicy(readTrustPolicy(role), VAULT_CLAIMS, known, others).admitted_too).toEqual([
    'another branch',
  ]);
});
