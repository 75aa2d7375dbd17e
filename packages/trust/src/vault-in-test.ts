/** Claims of a token, by which roles are tried. */
export const VAULT_CLAIMS = {
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

/** A role that admits them. */
export const VAULT_ROLE = {
  role_type: 'jwt',
  user_claim: 'sub',
  bound_audiences: ['https://vault.example'],
  token_explicit_max_ttl: 60,
};

/** What is changed in the role, and what Vault says then; the same of our evaluator and of whatever Vault there is. */
export const VAULT_VERDICTS: readonly (readonly [role: Record<string, unknown>, said: RegExp])[] = [
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
];
