import fc from 'fast-check';
import { expect, test } from 'vitest';
import { authMount, namespaceOf, secretPath } from './vault-path.ts';

test.each([
  ['/auth/concourse', 'concourse'],
  ['auth/concourse/login', 'concourse'],
  ['concourse', 'concourse'],
  ['/concourse/', 'concourse'],
  ['//auth//concourse//login//', 'concourse'],
  ['authority', 'authority'],
  ['authz/jwt', 'authz/jwt'],
  ['mylogin', 'mylogin'],
  ['auth/mylogin', 'mylogin'],
  ['team/a/jwt', 'team/a/jwt'],
  ['auth/auth/jwt', 'auth/jwt'],
  ['auth/login/login', 'login'],
])('the login path %j is the mount %j', (text, mount) => {
  expect(authMount(text)).toBe(mount);
});

test.each([
  '',
  'auth',
  '/auth/',
  'login',
  'auth/login',
  'auth/../sys',
  'jwt/.',
  'jwt?x=1',
  'jwt#x',
  'jwt\n',
  'jwt%2e',
])('the login path %j is refused', (text) => {
  expect(() => authMount(text)).toThrow(/login|segment/);
});

test('no login path leads outside of auth/', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const mount = mountOrNothing(text);
      if (mount === undefined) return;
      expect(new URL(`https://v/v1/auth/${mount}/login`).pathname).toBe(`/v1/auth/${mount}/login`);
    }),
  );
});

test.each([
  ['/concourse//main/db', 'concourse/main/db'],
  ['secret with_spaces.etc', 'secret with_spaces.etc'],
])('the path %j within Vault is %j', (text, path) => {
  expect(secretPath(text)).toBe(path);
});

test.each(['a/../b', './a', '', '/', 'a\u0000b'])('the path %j within Vault is refused', (text) => {
  expect(() => secretPath(text)).toThrow('path within Vault');
});

test('a namespace is sent without the slashes around it', () => {
  expect([namespaceOf('/root'), namespaceOf('a/b/'), namespaceOf('/')]).toEqual(['root', 'a/b', undefined]);
  expect(() => namespaceOf('a\r\nX-Vault-Token: x')).toThrow('header');
});

function mountOrNothing(text: string): string | undefined {
  try {
    return authMount(text);
  } catch {
    return undefined;
  }
}
