import { expect, test } from 'vitest';
import { testToken } from './testing.ts';
import { vaultRefusal, vaultText } from './vault-refusal.ts';

const answer = (status: number, body?: Record<string, unknown>) => ({ status, body });
const told = (status: number, body?: Record<string, unknown>) =>
  vaultRefusal({
    origin: 'https://v',
    doing: 'the login at auth/jwt',
    answer: answer(status, body),
    secrets: [],
  });

test('what Vault says is told in one line, however many it is', () => {
  const errors = ['1 error occurred:\n\t* permission denied\n\n', 'role "x" could not be found'];

  expect(vaultText(answer(403, { errors }), [])).toBe(
    '1 error occurred: * permission denied ; role "x" could not be found',
  );
  expect(vaultText(answer(404, { errors: null, warnings: ['Invalid path'] }), [])).toBe('Invalid path');
  expect(vaultText(answer(400, { errors: [] }), [])).toBe('status 400');
  expect(vaultText(answer(502), [])).toBe('status 502');
});

test('a token that Vault says back is not told', () => {
  const [token, other] = [testToken(), testToken()];
  const errors = [`bad jwt ${token}`, `nor ${other}`, 'nor s.shortVaultToken'];

  const line = vaultText(answer(400, { errors }), [token, 's.shortVaultToken']);

  expect(line).toMatch(/^bad jwt \*\*\*; nor [*.\w-]+; nor \*\*\*$/);
  for (const part of [token, other].flatMap((one) => one.split('.').slice(1)))
    expect(line).not.toContain(part);
});

test.each([
  [400, 'refused'],
  [403, 'refused'],
  [404, 'refused'],
  [307, 'configuration'],
  [412, 'unreachable'],
  [429, 'unreachable'],
  [473, 'unreachable'],
  [503, 'unreachable'],
] as const)('an answer %i is the failure %s', (status, failure) => {
  expect(told(status).failure).toBe(failure);
});
