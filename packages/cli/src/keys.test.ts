import { expect, test } from 'vitest';
import { builds } from './builds.ts';
import { deadLetters } from './dead-letters.ts';
import { keys, parseKeys } from './keys.ts';
import { keysTable } from './keys-table.ts';
import { names } from './names.ts';

test('each verb takes what it needs and nothing else', () => {
  expect(parseKeys(['list'], {})).toEqual({ verb: 'list', fields: {} });
  expect(parseKeys(['rotate'], { source: 'acme', alg: 'ES256' }).fields).toEqual({
    source: 'acme',
    alg: 'ES256',
  });
  expect(parseKeys(['revoke', 'kid'], { reason: 'lost' }).fields).toEqual({ kid: 'kid', reason: 'lost' });
  for (const [words, values] of [
    [[], {}],
    [['forget'], {}],
    [['rotate'], {}],
    [['list', 'kid'], {}],
    [['revoke', 'kid'], {}],
    [['revoke'], { reason: 'lost' }],
    [['revoke', 'kid'], { reason: 'lost', source: 'acme' }],
  ] as const)
    expect(() => parseKeys(words, values)).toThrow(expect.objectContaining({ failure: 'usage' }));
});

test.each([keys, builds, deadLetters, names])(
  'an unknown option is told with where help is: $summary',
  async (command) => {
    const surroundings = { env: {} } as Parameters<typeof keys.run>[1];

    const run = command.run(['list', '--shout'], surroundings);

    await expect(run).rejects.toMatchObject({ failure: 'usage', message: expect.stringContaining('--help') });
  },
);

test('without an address the command says what to set', async () => {
  const surroundings = { env: {} } as Parameters<typeof keys.run>[1];

  await expect(keys.run(['list'], surroundings)).rejects.toMatchObject({ failure: 'configuration' });
});

test('the table shows each key with its state, since when, and what comes next', () => {
  const common = { source: 'acme', alg: 'ES256' as const, prepared_at: 0 };
  const table = keysTable([
    { ...common, kid: 'a', state: 'active', activated_at: 60, next: { state: 'retired', at: 120 } },
    { ...common, kid: 'bb', state: 'prepared' },
    { ...common, kid: 'c', state: 'revoked', revoked_at: 180, reason: 'lost' },
  ]);

  expect(table.split('\n')).toEqual([
    'SOURCE  ALG    STATE     KID  SINCE                 NEXT',
    'acme    ES256  active    a    1970-01-01T00:01:00Z  retires 1970-01-01T00:02:00Z',
    'acme    ES256  prepared  bb   1970-01-01T00:00:00Z  not published yet',
    'acme    ES256  revoked   c    1970-01-01T00:03:00Z  lost',
    '',
  ]);
});
