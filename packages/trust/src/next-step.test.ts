import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Build } from '@mayfly/contracts/build';
import { ServiceError } from '@mayfly/contracts/errors';
import type { SourcePolicy } from '@mayfly/contracts/policy';
import { decide } from '@mayfly/profiles/decide';
import { expect, test } from 'vitest';
import { explainAudience } from './explain-audience.ts';
import { nextStep, tokenOrNext } from './next-step.ts';
import { BUILD, deployment, NOW, started } from './testing.ts';
import { admittedBuild, type Wish } from './token-of.ts';

type Row = [
  message: RegExp,
  next: RegExp,
  wish: Wish,
  build?: Build,
  policy?: string[] | Partial<SourcePolicy>,
  profile?: string,
];

const ALL = ["audiences: ['*']"];
const AUD = { audience: 'a' };
const long = { ...BUILD, ref: `refs/heads/${'b'.repeat(999)}` };
const fork = { ...BUILD, source_repository: { id: '6', name: 'mallory/hello' } };

const ROWS: Row[] = [
  [/^builds of forks get/, /^set sources\.ci\.forks in mayfly\.yaml to allow/, AUD, fork],
  [/^audience is missing; allowed: \*/, /^name one with --audience AUDIENCE, or declare one/, {}],
  [/^audience is not allowed/, /^add it to sources\.ci\.audiences/, AUD, BUILD, ['audiences: [b]']],
  [/^audience names X, which/, /data\.build\.variables$/, { audience: '$X' }],
  [
    /^audience names environment, which/,
    /data\.build\.environment\.name/,
    { audience: '$' + '{environment}' },
  ],
  [/^audience must be 1 to 255/, /^ask for an audience that is written so/, { audience: 'a b' }],
  [
    /^these audiences take tokens of unlike/,
    /^ask for one token each, or set the same/,
    { audience: ['a', 'b'] },
    { ...BUILD, pipeline: { id: '1' }, job: { id: '2' } },
    [...ALL, 'algorithms: { a: ES256 }'],
    'gitlab',
  ],
  [/^a token of this source has one/, /^ask for one token for each audience/, { audience: ['a', 'b'] }],
  [/^lifetime must be/, /^ask for 300 or less with --lifetime, or raise/, { ...AUD, lifetimeSeconds: 999 }],
  [/^lifetime must be/, /^ask for 10 or more with --lifetime/, { ...AUD, lifetimeSeconds: 0 }],
  [/^optional claim is not allowed/, /sources\.ci\.optional_claims/, { ...AUD, optionalClaims: ['x'] }],
  [
    /^x is no optional claim/,
    /^ask for one of actor_email, .* with --claim/,
    { ...AUD, optionalClaims: ['x'] },
    BUILD,
    { optional_claims: ['*'] },
  ],
  [/^subject_claim is not allowed/, /sources\.ci\.subject_claims/, { ...AUD, subjectClaim: 'x' }],
  [
    /^subject_claim is not allowed/,
    /^builds of the profile github cannot ask: set sources\.ci\.subject .* immutable, names/,
    { ...AUD, subjectClaim: 'names' },
    BUILD,
    ALL,
    'github',
  ],
  [
    /^subject_claim must be one of/,
    /^ask for one of those/,
    { ...AUD, subjectClaim: 'x' },
    BUILD,
    { subject_claims: ['*'] },
  ],
  [/^session tag is not allowed/, /sources\.ci\.session_tags/, { ...AUD, awsSessionTags: ['x'] }],
  [
    /^session tag is not allowed/,
    /^the profile github has no session tags/,
    { ...AUD, awsSessionTags: ['x'] },
    BUILD,
    ALL,
    'github',
  ],
  [
    /^x is no claim that can be a session tag/,
    /^ask for another claim/,
    { ...AUD, awsSessionTags: ['x'] },
    BUILD,
    { session_tags: ['*'] },
  ],
  [
    /^ref is too long for a session tag/,
    /^ask for another/,
    { audience: 'a', subjectClaim: 'repository', awsSessionTags: ['ref'] },
    long,
  ],
  [
    /^subject has \d+ bytes and may have 127/,
    /--subject-claim repository or pipeline, or set sources\.ci\.subject/,
    AUD,
    long,
  ],
  [/^build lacks repository\.id/, /^have the CI send data\.build\.repository\.id$/, AUD, { id: 'x' }],
  [/^build lacks branch or branch|^build lacks/, /data\.build\./, AUD, { id: 'x' }, ALL, 'buildkite'],
  [
    /^build must have a whole number as runner\.id/,
    /^have the CI send a number there/,
    AUD,
    { ...BUILD, pipeline: { id: '1' }, job: { id: '2' }, runner: { id: 'x' } },
    ALL,
    'gitlab',
  ],
  [/^build holds text that is not/, /well-formed Unicode/, AUD, { ...BUILD, ref: 'refs/heads/\ud800' }],
  [/^build is past its deadline/, /sources\.ci\.build_timeout/, AUD, { ...BUILD, timeout_seconds: 0 }],
  [
    /^claims have \d+ bytes/,
    /^have the CI send less/,
    AUD,
    { ...BUILD, actor: { id: '1', login: 'a'.repeat(6000) } },
  ],
];

const refusalOf = (act: () => unknown): ServiceError | undefined => {
  try {
    act();
  } catch (error) {
    if (error instanceof ServiceError) return error;
    throw error;
  }
  return undefined;
};

test.each(ROWS)('%s: %s', async (message, next, wish, build = BUILD, set = ALL, profile = 'mayfly') => {
  const made = await deployment(profile, Array.isArray(set) ? set : ALL);
  const here = Array.isArray(set) ? made : { ...made, policy: { ...made.policy, ...set } };

  const { allowed, refusal } = explainAudience(here, started(build), wish, NOW);

  expect([allowed, refusal?.error_description, refusal?.next]).toEqual([
    false,
    expect.stringMatching(message),
    expect.stringMatching(next),
  ]);
  expect(refusalOf(() => tokenOrNext(here, started(build), wish, NOW))?.message).toBe(
    `${refusal?.error_description}: ${refusal?.next}`,
  );
});

test('what only the issuer can refuse has a next step too', async () => {
  const here = await deployment();
  const admitted = admittedBuild(here.policy, started(), NOW);
  const asked = { ...AUD, now: NOW, jti: 'j', skewSeconds: 0 };

  const refusal = refusalOf(() => decide(here.policy, here.profile, admitted, { ...asked, issued: 1000 }));

  expect(refusal && nextStep(refusal, here, AUD)).toMatch(/^raise sources\.ci\.max_tokens/);
});

test('every text with which a token is refused has a step of its own', async () => {
  const here = await deployment();
  const folder = new URL('../../profiles/src/', import.meta.url);
  const files = [
    'decide',
    'claims',
    'claim-value',
    'subject',
    'audience',
    'algorithm',
    'lifetime',
    'session-tags',
  ];
  const texts = files.flatMap((file) => {
    const code = readFileSync(fileURLToPath(new URL(`${file}.ts`, folder)), 'utf8');
    return [
      ...code.matchAll(/(?:ServiceError|refuse|checkEach)\([^'`;]*(?:'[a-z_]+',\s*)?(['`])([^\n]+?)\1/g),
    ];
  });

  const messages = texts
    .map(([, , text = '']) => text.replace(/\$\{[^}]*\}/g, 'x'))
    .filter((text) => /[a-z]{2} /.test(text));

  expect(messages.length).toBeGreaterThan(20);
  for (const text of messages.filter((one) => !/^x(; |$)/.test(one)))
    expect([text, nextStep(new ServiceError('invalid_request', text), here, AUD)]).toEqual([
      text,
      expect.not.stringMatching(/^ask for what is allowed, or allow it under/),
    ]);
});
