import { expect, test } from 'vitest';
import { checkPolicy } from './check-policy.ts';
import type { TokenKnowledge } from './policy-warning.ts';
import { readTrustPolicy } from './read-trust-policy.ts';
import { GOLDEN_BUILDS, made } from './testing.ts';

const SUBJECT = 'organization:o:pipeline:p:ref:main:commit:9fceb02:step:';
const ROLE = {
  ...{ role_type: 'jwt', user_claim: 'sub', bound_audiences: ['https://vault.example'] },
  ...{ bound_claims_type: 'glob', bound_claims: { sub: 'organization:o:*' }, token_explicit_max_ttl: 60 },
};

test('a user_claim sub that is another in every build is warned of, with the event and without', () => {
  const warned = (parts?: TokenKnowledge['parts'], sub = SUBJECT) =>
    checkPolicy(
      readTrustPolicy(JSON.stringify(ROLE)),
      { sub, aud: 'https://vault.example' },
      { isUserControlled: () => false, pathsOf: () => [], ...(parts && { parts }) },
    )
      .warnings.map(({ what }) => what)
      .join('\n');
  const parts = [{ text: 'organization:o:pipeline:p:ref:main:commit:' }, { text: '9fceb02', path: 'sha' }];

  expect(warned(parts)).toMatch(/user_claim sub makes an entity of every build.*sub holds sha/);
  expect(warned()).toMatch(/user_claim sub makes an entity of every build.*sub holds commit/);
  expect(warned([{ text: SUBJECT, path: 'ref' }])).not.toMatch(/entity of every build/);
  expect(warned(undefined, 'organization:o:pipeline:p')).not.toMatch(/entity of every build/);
});

test('a role that is made for such a subject has a claim that lasts, and that nobody chooses, as user_claim', async () => {
  const [golden] = GOLDEN_BUILDS.filter(({ profile }) => profile === 'buildkite');
  const role = async (wish: Parameters<typeof made>[1]) => {
    const { texts, notes } = (await made('vault', { ...golden, ...wish })).trust;
    return { claim: JSON.parse(texts[0]?.text ?? '').user_claim, notes: notes.join() };
  };

  expect(await role({})).toEqual({
    claim: 'organization_slug',
    notes: expect.stringMatching(/user_claim is organization_slug: sub holds sha/),
  });
  expect(await role({ optionalClaims: ['pipeline_id'] })).toMatchObject({ claim: 'pipeline_id' });
  expect(await role({ subjectClaim: 'pipeline_id' })).toMatchObject({ claim: 'sub' });
});
