import { expect, test } from 'vitest';
import { names, parseNames } from './names.ts';

test('each verb takes what it needs and nothing else', () => {
  expect(parseNames(['list'], { source: 'acme', prefix: 'octo/' })).toEqual({
    verb: 'list',
    fields: { source: 'acme', prefix: 'octo/' },
  });
  expect(parseNames(['release', 'acme', 'repository', 'octo/hello'], { id: '7' }).fields).toEqual({
    ...{ source: 'acme', kind: 'repository', name: 'octo/hello', id: '7' },
  });
  expect(parseNames(['release', 'acme', 'repository'], { prefix: 'octo/' }).fields['prefix']).toBe('octo/');
  for (const [words, values] of [
    [[], {}],
    [['forget'], {}],
    [['list', 'acme'], {}],
    [['list'], { id: '7' }],
    [['release', 'acme', 'repository'], {}],
    [['release', 'acme', 'repository', 'a', 'b'], {}],
    [['release', 'acme', 'repository', 'a'], { prefix: 'a' }],
    [['release', 'acme', 'repository'], { prefix: 'a', id: '7' }],
  ] as const)
    expect(() => parseNames(words, values)).toThrow(expect.objectContaining({ failure: 'usage' }));
});

test('without an address the command says what to set', async () => {
  const surroundings = { env: {} } as Parameters<typeof names.run>[1];

  await expect(names.run(['list'], surroundings)).rejects.toMatchObject({ failure: 'configuration' });
});
