import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { describe, expect, test } from 'vitest';
import { checkPolicy } from './check-policy.ts';
import { isUserControlled, pathsOfClaim } from './claim-origins.ts';
import { readTrustPolicy } from './read-trust-policy.ts';
import { evaluateVault, vaultGlob } from './vault-evaluate.ts';
import { readVaultRole } from './vault-role.ts';

const CLAIMS = {
  ...{ iss: 'https://id.example.com/ci', sub: 'repo:7:ref:refs/heads/main', aud: 'https://vault.example' },
  ...{
    repository_id: '7',
    ref: 'refs/heads/main',
    run: 7,
    ok: true,
    groups: ['a', 'b'],
    nested: { 'a/b': 'c' },
  },
};
const ROLE = {
  role_type: 'jwt',
  user_claim: 'sub',
  bound_audiences: ['https://vault.example'],
  token_explicit_max_ttl: 60,
};

const judge = (role: object, claims: object = CLAIMS) => {
  const { admitted, reasons } = evaluateVault(readVaultRole({ ...ROLE, ...role }), { ...claims });
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
  checkPolicy(readTrustPolicy(JSON.stringify({ data: { ...ROLE, ...role } })), CLAIMS, known)
    .warnings.map(({ what }) => what)
    .join('\n');

describe('a role takes a token as the plugin does', () => {
  test.each<[object, RegExp]>([
    [{}, /^admitted/],
    [{ bound_subject: 'repo:7:ref:refs/heads/main' }, /^admitted/],
    [{ bound_subject: 'repo:7:*' }, /^invalid subject/],
    [{ bound_subject: 'repo:7:ref:refs/heads/MAIN' }, /^invalid subject/],
    [{ bound_audiences: 'x,https://vault.example' }, /^admitted/],
    [{ bound_audiences: ['https://VAULT.example'] }, /^invalid audience/],
    [{ bound_audiences: [], bound_subject: 'x' }, /^invalid subject/],
    [{ bound_audiences: [] }, /^audience claim found in JWT but no audiences bound/],
    [{ bound_issuer: 'https://id.example.com/other' }, /^invalid issuer/],
    [{ role_type: 'oidc' }, /^role with oidc role_type/],
    [{ role_type: undefined }, /^role with oidc role_type/],
    [{ user_claim: 'nobody' }, /"nobody" not found/],
    [{ user_claim: 'run' }, /"run" could not be converted to string/],
    [{ user_claim: '/nested/a~1b', user_claim_json_pointer: true }, /^admitted/],
    [{ claim_mappings: { run: 'run' } }, /error converting claim 'run' to string/],
    [{ claim_mappings: { absent: 'x' } }, /^admitted/],
    [{ groups_claim: 'ref' }, /could not be converted to string list/],
    [{ bound_claims: { repository_id: '7' } }, /^admitted/],
    [{ bound_claims: { repository_id: 7 } }, /"repository_id" does not match/],
    [{ bound_claims: { run: '7' } }, /"run" does not match/],
    [{ bound_claims: { run: 7, ok: true } }, /^admitted/],
    [{ bound_claims: { ref: ['x', 'refs/heads/main'] } }, /^admitted/],
    [{ bound_claims: { ref: 'refs/heads/*' } }, /"ref" does not match/],
    [{ bound_claims: { ref: 'refs/heads/*' }, bound_claims_type: 'glob' }, /^admitted/],
    [{ bound_claims: { ref: 'refs/tags/*' }, bound_claims_type: 'glob' }, /"ref" does not match/],
    [{ bound_claims: { run: '*' }, bound_claims_type: 'glob' }, /"run" does not match/],
    [{ bound_claims: { groups: 'b' } }, /^admitted/],
    [{ bound_claims: { '/nested/a~1b': 'c' } }, /^admitted/],
    [{ bound_claims: { nested: 'c' } }, /not a string, bool, int or list/],
    [{ bound_claims: { absent: '' } }, /"absent" is missing/],
  ])('%j: %s', (role, expected) => {
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
    { bound_subject: CLAIMS.sub },
    { bound_claims: { repository_id: '7' } },
    { bound_claims: { '/repository_id': '7' } },
    { bound_claims: { repository: 'octo/hello', ref: 'refs/heads/main' } },
    { bound_claims: { sub: CLAIMS.sub } },
    { bound_claims: { workflow_id: 'w1' } },
    { bound_claims: { team: 'main', pipeline: 'release' } },
  ])('and %j, which says which, is not', (role) => {
    expect(warnings(role)).toBe('');
  });

  test('limits that Vault gives as zero are none', () => {
    const asVaultGivesIt = { token_explicit_max_ttl: 0, token_max_ttl: 60, token_period: 0 };
    expect(warnings({ bound_subject: CLAIMS.sub, ...asVaultGivesIt })).toBe('');
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
    { name: 'another branch', claims: { ...CLAIMS, sub: 'repo:7:ref:refs/heads/x' } },
    { name: 'another repository', claims: { ...CLAIMS, repository_id: '8' } },
    { name: 'another issuer', claims: { ...CLAIMS, iss: 'https://other.example' } },
    { name: 'a fork', claims: undefined },
  ];
  const role = JSON.stringify({ ...ROLE, bound_claims: { repository_id: '7' } });

  expect(checkPolicy(readTrustPolicy(role), CLAIMS, known, others).admitted_too).toEqual(['another branch']);
});
