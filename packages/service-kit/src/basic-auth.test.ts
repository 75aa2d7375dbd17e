import { expect, test } from 'vitest';
import { basicAuthentication } from './basic-auth.ts';

const authenticate = basicAuthentication({ acme: 's3cret-value', 'a b': 'x+y' });
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

test('a name with its secret is known, raw or form-encoded', () => {
  expect(authenticate(basic('acme:s3cret-value'))).toBe('acme');
  expect(authenticate(basic('acme:s3cret%2Dvalue'))).toBe('acme');
  expect(authenticate(basic('a+b:x%2By'))).toBe('a b');
  expect(authenticate(basic('a b:x+y'))).toBe('a b');
});

test.for([
  undefined,
  '',
  'Basic',
  'Bearer x',
  basic('acme'),
  basic('acme:'),
  basic('acme:wrong'),
  basic(':'),
  basic('nobody:s3cret-value'),
  'Basic !!!',
])('%s proves nobody', (header) => {
  expect(authenticate(header)).toBeUndefined();
});
