import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateAws } from './aws-evaluate.ts';
import { readAwsPolicy } from './aws-policy.ts';
import { awsLiteral, awsMatches, awsPieces } from './aws-text.ts';

const CLAIMS = {
  iss: 'https://id.example.com/ci',
  sub: 'repo:7:ref:refs/heads/main',
  aud: 'sts.amazonaws.com',
  iat: 1,
  exp: 2,
};
const SUB = 'id.example.com/ci:sub';

const statement = (Condition: object, rest: object = {}) => ({
  Effect: 'Allow',
  Principal: { Federated: 'arn:aws:iam::1:oidc-provider/id.example.com/ci' },
  Action: 'sts:AssumeRoleWithWebIdentity',
  Condition,
  ...rest,
});
const judge = (statements: object[], claims: object = {}, Version = '2012-10-17') =>
  evaluateAws(readAwsPolicy({ Version, Statement: statements }), { ...CLAIMS, ...claims }).admitted;
const on = (Condition: object, claims: object = {}) => judge([statement(Condition)], claims);

describe('condition operators', () => {
  test.each([
    [{ StringEquals: { [SUB]: CLAIMS.sub } }, true],
    [{ StringEquals: { [SUB]: 'repo:7:ref:refs/heads/MAIN' } }, false],
    [{ StringEquals: { [SUB]: 'repo:7:*' } }, false],
    [{ stringequals: { [SUB.toUpperCase()]: CLAIMS.sub } }, true],
    [{ StringEqualsIgnoreCase: { [SUB]: 'REPO:7:ref:refs/heads/MAIN' } }, true],
    [{ StringEquals: { [SUB]: ['x', CLAIMS.sub] } }, true],
    [{ StringLike: { [SUB]: 'repo:7:*' } }, true],
    [{ StringLike: { [SUB]: 'repo:?:*/main' } }, true],
    [{ StringLike: { [SUB]: 'repo:7' } }, false],
    [{ StringLike: { [SUB]: 'Repo:7:*' } }, false],
    [{ StringNotEquals: { [SUB]: 'x' } }, true],
    [{ StringNotLike: { [SUB]: ['x', 'repo:*'] } }, false],
    [{ StringEquals: { 'id.example.com/ci:repository': 'x' } }, false],
    [{ StringNotEquals: { 'id.example.com/ci:repository': 'x' } }, true],
    [{ StringEqualsIfExists: { 'id.example.com/ci:repository': 'x' } }, true],
    [{ 'ForAllValues:StringEquals': { 'id.example.com/ci:amr': ['x'] } }, true],
    [{ 'ForAnyValue:StringEquals': { 'id.example.com/ci:amr': ['x'] } }, false],
    [{ 'ForAnyValue:StringEqualsIfExists': { 'id.example.com/ci:amr': ['x'] } }, false],
    [{ Null: { 'id.example.com/ci:amr': 'true' } }, true],
    [{ Null: { [SUB]: 'true' } }, false],
    [{ StringEquals: { [SUB]: '$' + '{aws:username}' } }, undefined],
    [{ StringEquals: { 'aws:SourceIp': '10.0.0.1' } }, undefined],
    [{ DateLessThan: { [SUB]: '2030' } }, undefined],
  ])('%j is %s', (condition, admitted) => {
    expect(on(condition)).toBe(admitted);
  });

  test('every key and every operator must be met', () => {
    const aud = { 'id.example.com/ci:aud': 'sts.amazonaws.com' };
    expect(on({ StringEquals: { [SUB]: CLAIMS.sub, ...aud } })).toBe(true);
    expect(on({ StringEquals: { [SUB]: CLAIMS.sub, ...aud } }, { aud: 'other' })).toBe(false);
    expect(on({ StringEquals: aud, StringLike: { [SUB]: 'x*' } })).toBe(false);
  });

  test('of several values ForAnyValue wants one and ForAllValues each', () => {
    const amr = { amr: ['a', 'b'] };
    expect(on({ 'ForAnyValue:StringEquals': { 'id.example.com/ci:amr': ['a'] } }, amr)).toBe(true);
    expect(on({ 'ForAllValues:StringEquals': { 'id.example.com/ci:amr': ['a'] } }, amr)).toBe(false);
    expect(on({ 'ForAllValues:StringEquals': { 'id.example.com/ci:amr': ['a', 'b', 'c'] } }, amr)).toBe(true);
    expect(on({ 'ForAnyValue:StringNotEquals': { 'id.example.com/ci:amr': ['a'] } }, amr)).toBe(true);
  });
});

test('a Deny is stronger than any Allow, and one that cannot be told leaves it open', () => {
  const allow = statement({});
  expect(judge([allow])).toBe(true);
  expect(judge([allow, statement({ StringLike: { [SUB]: 'repo:7:*' } }, { Effect: 'Deny' })])).toBe(false);
  expect(judge([allow, statement({ StringEquals: { 'aws:SourceIp': 'x' } }, { Effect: 'Deny' })])).toBe(
    undefined,
  );
});

test('another provider, another action and no Allow at all admit nothing', () => {
  expect(
    judge([statement({}, { Principal: { Federated: 'arn:aws:iam::1:oidc-provider/id.example.com/ci2' } })]),
  ).toBe(false);
  expect(judge([statement({}, { Principal: { AWS: '1' } })])).toBe(false);
  expect(judge([statement({}, { Action: 'sts:AssumeRole' })])).toBe(false);
  expect(judge([statement({}, { Action: 'STS:assumerolewith*' })])).toBe(true);
});

test('azp is the audience for AWS, and aud is oaud then', () => {
  const two = { aud: ['sts.amazonaws.com', 'x'] };
  expect(on({}, two)).toBe(false);
  expect(on({ StringEquals: { 'id.example.com/ci:aud': 'client' } }, { ...two, azp: 'client' })).toBe(true);
  expect(on({ StringEquals: { 'id.example.com/ci:oaud': 'x' } }, { azp: 'client' })).toBe(false);
});

test('a token with session tags needs sts:TagSession, and its tags can be conditions', () => {
  const tagged = { 'https://aws.amazon.com/tags': { principal_tags: { repository_id: ['7'] } } };
  const Action = ['sts:AssumeRoleWithWebIdentity', 'sts:TagSession'];
  const wants = (value: string) =>
    statement({ StringEquals: { 'aws:RequestTag/repository_id': value } }, { Action });

  expect(judge([statement({})], tagged)).toBe(false);
  expect(judge([wants('7')], tagged)).toBe(true);
  expect(judge([wants('8')], tagged)).toBe(false);
});

test('before 2012-10-17 a variable is plain text', () => {
  const text = '$' + '{aws:username}';
  expect(judge([statement({ StringEquals: { [SUB]: text } })], { sub: text }, '2008-10-17')).toBe(true);
});

test('any text, written as a policy must, is met by itself and by nothing else', () => {
  const texts = fc.string({ unit: fc.constantFrom('$', '{', '}', '*', '?', 'a', 'b'), maxLength: 8 });
  fc.assert(
    fc.property(texts, texts, fc.boolean(), (text, other, isLike) => {
      const pieces = awsPieces(awsLiteral(text, isLike), isLike, '2012-10-17');
      expect(awsMatches(pieces, text)).toBe(true);
      expect(awsMatches(pieces, other)).toBe(text === other);
    }),
  );
});

test('what is no trust policy is refused with what to give', () => {
  for (const value of [
    {},
    { Statement: {} },
    { Statement: statement({}, { NotPrincipal: {} }) },
    { Statement: statement({}, { Effect: 'Maybe' }) },
  ])
    expect(() => readAwsPolicy(value)).toThrow(/: give the role's trust policy/);
});
