import { expect, test } from 'vitest';
import { explain } from './explain.ts';
import { BUILD, deployment, NOW, started } from './testing.ts';

const LINES = [
  'audiences: [https://a.example, https://b.example, https://c.example]', // line 5
  'algorithms:',
  '  https://b.example: ES256', // line 7
  'subject_limits:',
  '  https://c.example: 20', // line 9
  '  https://b.example: 1024',
];

const explained = async (audience: string[]) => {
  const wishes = Object.fromEntries(audience.map((aud, index) => [`T${index}`, { aud }]));
  return explain(await deployment('mayfly', LINES), started(BUILD, wishes), {}, NOW);
};

test('a subject that is too long for one audience is refused by the line of its limit', async () => {
  const { audiences, policy } = await explained(['https://a.example', 'https://c.example']);

  expect(audiences).toMatchObject([
    { allowed: true, line: 5 },
    { allowed: false, line: 9, refusal: { error_description: expect.stringMatching(/may have 20;/) } },
  ]);
  const long = { ...BUILD, ref: `refs/heads/${'b'.repeat(200)}` };
  const [own] = explain(
    await deployment('mayfly', LINES),
    started(long),
    { audience: 'https://b.example' },
    NOW,
  ).audiences;
  expect(own).toMatchObject({
    line: undefined,
    refusal: { error_description: expect.stringMatching(/may have 127;/) },
  });
  expect(policy.find(({ rule }) => rule === 'subject_limits')).toMatchObject({
    line: 9,
    says: '20 for https://c.example',
  });
});

test('audiences of unlike algorithms are refused by the line that makes them so', async () => {
  const audience = ['https://a.example', 'https://b.example'];
  const here = await deployment('vela', LINES.slice(0, 3));

  const { audiences } = explain(here, started(), { audience: ['https://a.example'] }, NOW);
  const both = explain(here, started(BUILD, { T: { aud: audience } }), {}, NOW).audiences;

  expect(audiences[0]?.allowed).toBe(true);
  expect(both[0]).toMatchObject({ allowed: false, line: 7 });
});

test('each further audience is told with its algorithm and the claims that are otherwise', async () => {
  const { token, more_tokens, policy } = await explained(['https://a.example', 'https://b.example']);

  expect(token?.alg).toBe('RS256');
  expect(more_tokens).toMatchObject([
    { audience: 'https://b.example', alg: 'ES256', claims: [{ claim: 'aud', value: 'https://b.example' }] },
  ]);
  expect(policy.filter(({ rule }) => rule === 'algorithms')).toMatchObject([
    { line: 7, says: 'ES256 for https://b.example' },
  ]);
});
