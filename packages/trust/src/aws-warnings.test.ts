import { describe, expect, test } from 'vitest';
import { checkPolicy } from './check-policy.ts';
import type { TokenKnowledge } from './policy-warning.ts';
import { readTrustPolicy } from './read-trust-policy.ts';

const PROVIDER = 'id.example.com/ci';
const CLAIMS = {
  iss: `https://${PROVIDER}`,
  sub: 'repo:octo/hello:ref:refs/heads/main',
  aud: 'sts.amazonaws.com',
  iat: 1,
  exp: 2,
};
const AUD = { [`${PROVIDER}:aud`]: 'sts.amazonaws.com' };
const PARTS = [
  { text: 'repo' },
  { text: ':' },
  { text: 'octo/hello', path: 'repository.name', trust: 'trusted' },
  { text: ':ref:' },
  { text: 'refs/heads/main', path: 'ref', trust: 'user-controlled' },
];

const KNOWN: TokenKnowledge = { isUserControlled: (claim) => claim === 'ref', pathsOf: () => [] };

const warnings = (Condition: object, known: Partial<TokenKnowledge> = {}) => {
  const Statement = [
    {
      ...{ Effect: 'Allow', Action: 'sts:AssumeRoleWithWebIdentity', Condition },
      Principal: { Federated: `arn:aws:iam::1:oidc-provider/${PROVIDER}` },
    },
  ];
  const policy = JSON.stringify({ Version: '2012-10-17', Statement });
  const checked = checkPolicy(readTrustPolicy(policy), CLAIMS, { ...KNOWN, ...known });
  return checked.warnings.map(({ admits, what }) => `${admits}: ${what}`);
};
const sub = (value: string) => ({ [`${PROVIDER}:sub`]: value });

test('a policy that holds sub and aud fast has no warning', () => {
  expect(warnings({ StringEquals: { ...AUD, ...sub(CLAIMS.sub) } }, { parts: PARTS })).toEqual([]);
});

test.each<[string, object, RegExp]>([
  ['no sub', { StringEquals: AUD }, /more: .*nothing holds sub fast/],
  ['no aud', { StringEquals: sub(CLAIMS.sub) }, /more: .*nothing holds aud fast/],
  ['a lone * for sub', { StringEquals: AUD, StringLike: sub('*') }, /more: .*nothing holds sub fast/],
  [
    'a * at the front',
    { StringEquals: AUD, StringLike: sub('*:ref:refs/heads/main') },
    /more: .*\* at the front/,
  ],
  [
    'a * over the organization',
    { StringEquals: AUD, StringLike: sub('repo:octo/*') },
    /more: .*repository\.name, so that it admits every other/,
  ],
  [
    'a * over the branch',
    { StringEquals: AUD, StringLike: sub('repo:octo/hello:ref:*') },
    /more: .*\* stands for ref, which whoever can push/,
  ],
  [
    'a * within the branch',
    { StringEquals: AUD, StringLike: sub('repo:octo/hello:ref:refs/heads/m*') },
    /more: .*\* stands for ref/,
  ],
  [
    'ForAllValues',
    { StringEquals: AUD, 'ForAllValues:StringEquals': sub(CLAIMS.sub) },
    /more: .*is met where the token has no such value/,
  ],
  [
    'IfExists',
    { StringEquals: AUD, StringEqualsIfExists: sub(CLAIMS.sub) },
    /more: .*is met where the token has no such value/,
  ],
  ['a negation', { StringEquals: AUD, StringNotEquals: sub('x') }, /more: .*only says what is not admitted/],
  [
    'case that is ignored',
    { StringEquals: AUD, StringEqualsIgnoreCase: sub(CLAIMS.sub) },
    /more: .*differ by case/,
  ],
  [
    'a * that StringEquals takes for itself',
    { StringEquals: { ...AUD, ...sub('repo:octo/*') } },
    /less: .*takes \* and \? for themselves/,
  ],
  [
    'a claim that AWS does not give',
    { StringEquals: { ...AUD, ...sub(CLAIMS.sub), [`${PROVIDER}:repository`]: 'octo/hello' } },
    /less: .*repository is never there/,
  ],
  [
    'the key of another provider',
    { StringEquals: { ...AUD, ...sub(CLAIMS.sub), 'token.actions.githubusercontent.com:sub': 'x' } },
    /less: .*is of another provider/,
  ],
  [
    'a tag that a user decides',
    { StringEquals: { ...AUD, ...sub(CLAIMS.sub), 'aws:RequestTag/ref': 'x' } },
    /more: .*RequestTag\/ref is a claim that whoever/,
  ],
])('%s is warned of', (_, condition, expected) => {
  expect(warnings(condition, { parts: PARTS }).join('\n')).toMatch(expected);
});

describe.each([
  ['the event', PARTS],
  ['the token alone', undefined],
])('by %s', (_, parts) => {
  test.each<[string, RegExp]>([
    [
      'repo:??????????:ref:refs/heads/main',
      /the \? stands for repository\.name, so that it admits every other/,
    ],
    ['repo:octo/hell?:ref:refs/heads/main', /the \? stands for repository\.name/],
    ['repo:octo/hello:ref:refs/heads/mai?', /the \? stands for ref, which whoever can push/],
    ['????:octo/hello:ref:refs/heads/main', /a \? at the front/],
    ['?'.repeat(35), /nothing holds sub fast[\s\S]*a \? at the front/],
    ['?*', /nothing holds sub fast[\s\S]*a \? at the front/],
    ['**', /nothing holds sub fast[\s\S]*a \* at the front/],
    ['repo:octo/hello:*:refs/heads/main', /the \* covers the text :?ref:? between the parts.*pull requests/],
    ['repo:octo/hello:*', /the \* covers the text :?ref:? between[\s\S]*the \* stands for ref, which/],
    ['repo:octo/hell*in', /the \* stands for repository\.name/],
    ['repo:mallory/*:ref:refs/heads/main', /the \* stands for repository\.name/],
    ['repo:mallory/x:*:refs/heads/main', /the \* covers the text/],
    ['repo:$' + '{aws:username}:ref:refs/heads/main', /the \$\{aws:username\} stands for repository\.name/],
  ])('the wildcards of %s are seen', (pattern, expected) => {
    const found = warnings({ StringEquals: AUD, StringLike: sub(pattern) }, parts && { parts });

    expect(found.join('\n')).toMatch(expected);
    expect(found.join('\n')).not.toMatch(/write out (ref|:)$/m);
  });

  test.each([CLAIMS.sub, 'repo:octo/hello:ref:refs/heads/$' + '{*}', 'repo:octo/$' + '{?}:ref:x'])(
    '%s has none',
    (pattern) => {
      expect(warnings({ StringEquals: AUD, StringLike: sub(pattern) }, parts && { parts })).toEqual([]);
    },
  );
});

test('what a build alone has may be left open, and what stands around it is still seen', () => {
  const parts = [
    { text: 'repo:' },
    { text: 'octo/hello', path: 'repository.name', trust: 'trusted' },
    { text: ':ref:refs/heads/' },
    { text: 'main', path: 'sha', trust: 'trusted' },
  ];
  const like = (pattern: string) => warnings({ StringEquals: AUD, StringLike: sub(pattern) }, { parts });

  expect(like('repo:octo/hello:ref:refs/heads/*')).toEqual([]);
  expect(like('repo:octo/hello:ref:refs/*')).toHaveLength(1);
});

test('a wildcard in another condition is seen, be it * or ?', () => {
  for (const aud of ['sts.amazonaws.co?', 'sts.*'])
    expect(
      warnings({ StringLike: { [`${PROVIDER}:aud`]: aud }, StringEquals: sub(CLAIMS.sub) }).join('\n'),
    ).toMatch(/leaves a part open/);
  expect(warnings({ StringLike: { [`${PROVIDER}:aud`]: '?*' }, StringEquals: sub(CLAIMS.sub) })[0]).toMatch(
    /nothing holds aud fast/,
  );
});

test('without the event, a wildcard is judged by the words of the subject', () => {
  expect(warnings({ StringEquals: AUD, StringLike: sub('repo:octo/*') }).join('\n')).toMatch(
    /repository\.name/,
  );
  expect(warnings({ StringEquals: AUD, StringLike: sub('repo:octo/hello:ref:*') }).join('\n')).toMatch(
    /stands for ref/,
  );
});

test('a principal that is every provider is warned of', () => {
  const Statement = {
    Effect: 'Allow',
    Action: 'sts:AssumeRoleWithWebIdentity',
    Principal: '*',
    Condition: { StringEquals: { ...AUD, ...sub(CLAIMS.sub) } },
  };
  const { admitted, warnings: found } = checkPolicy(
    readTrustPolicy(JSON.stringify({ Statement })),
    CLAIMS,
    KNOWN,
  );

  expect(admitted).toBe(true);
  expect(found[0]?.what).toMatch(/its Principal is every provider/);
});

test('a statement of another provider is its own affair, and several providers in one are warned of', () => {
  const of = (...providers: string[]) => ({
    Effect: 'Allow',
    Action: 'sts:AssumeRoleWithWebIdentity',
    Principal: { Federated: providers.map((one) => `arn:aws:iam::1:oidc-provider/${one}`) },
    Condition: { StringEquals: Object.fromEntries(providers.flatMap((one) => held(one))) },
  });
  const held = (one: string) => [
    [`${one}:sub`, one === PROVIDER ? CLAIMS.sub : 'x'],
    [`${one}:aud`, 'sts.amazonaws.com'],
  ];
  const check = (...Statement: object[]) =>
    checkPolicy(readTrustPolicy(JSON.stringify({ Version: '2012-10-17', Statement })), CLAIMS, KNOWN);

  const two = check(of(PROVIDER), of('other.example'), { ...of('third.example'), Condition: {} });
  expect(two).toMatchObject({ admitted: true, warnings: [] });
  const mixed = check(of(PROVIDER, 'other.example'));
  expect(mixed.admitted).toBe(false);
  expect(mixed.warnings).toMatchObject([
    { admits: 'less', what: expect.stringMatching(/^statement 1: its Principal names 2 providers/) },
  ]);
});
