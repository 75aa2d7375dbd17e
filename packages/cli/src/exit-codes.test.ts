import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { EXIT_CODES } from './exit-codes.ts';

test('the README tells what each exit code means', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const [, behind = ''] = readme.split('## Exit codes\n');
  const [table = ''] = behind.split('\n## ');
  const told = [...table.matchAll(/^\| ([0-9, ]+) \|/gm)].flatMap(([, codes = '']) =>
    codes.split(', ').map(Number),
  );

  expect(told).toEqual(Object.values(EXIT_CODES));
});
