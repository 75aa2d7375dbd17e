import { beforeEach, expect, test } from 'vitest';
import { answerProxy } from './proxy-answer.ts';
import { API, type TestIssuer, testIssuer } from './testing.ts';

let issuer: TestIssuer;

beforeEach(async () => {
  issuer = await testIssuer();
});

const answerTo = async (claims: object, policy = {}) =>
  answerProxy(await issuer.sign({ ...claims }), { audience: API, ...policy }, issuer.judge);

test('a required claim must be there with one of the values that are taken', async () => {
  const policy = { claims: { ref: ['refs/heads/main', 'refs/heads/release'], attempt: '2' } };

  expect(await answerTo({ ref: 'refs/heads/main', attempt: 2 }, policy)).toMatchObject({ allowed: true });
  for (const claims of [
    { ref: 'refs/heads/main' },
    { ref: 'refs/heads/mainx', attempt: '2' },
    { ref: ['refs/heads/main'], attempt: '2' },
    { ref: { a: 1 }, attempt: '2' },
    {},
  ]) {
    expect(await answerTo(claims, policy)).toEqual({ allowed: false, isToken: true });
  }
  expect(await answerTo({}, { claims: { constructor: 'x' } })).toEqual({ allowed: false, isToken: true });
  expect(await answerTo({}, { audience: 'https://other.example.com' })).toEqual({
    allowed: false,
    isToken: false,
  });
});

test('every configured header is given, empty where the token does not say, and always as one line of ASCII', async () => {
  const headers = { 'x-a': 'a', 'x-b': 'b', 'x-c': 'c', 'x-d': 'd', 'x-e': 'e', 'x-f': 'f' };
  const claims = { a: 'plain text', b: 'é\r\nx-admin: 1', c: '', d: ' x', e: "UTF-8''%C3", f: ['x'] };

  expect(await answerTo(claims, { headers })).toEqual({
    allowed: true,
    headers: {
      'x-a': 'plain text',
      'x-b': "UTF-8''%C3%A9%0D%0Ax-admin%3A%201",
      'x-c': '',
      'x-d': "UTF-8''%20x",
      'x-e': "UTF-8''UTF-8''%25C3",
      'x-f': '["x"]',
    },
  });
  expect(await answerTo({}, { headers: { 'x-a': 'a' } })).toEqual({ allowed: true, headers: { 'x-a': '' } });
  expect(await answerTo({})).toEqual({ allowed: true, headers: { 'x-mayfly-subject': 'repo:1' } });
});
