import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Config } from './config.ts';

test('the README names every setting, and no other', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const table = readme.match(/^\| `.*$/gm)?.join('\n') ?? '';
  const named = [...table.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name);

  expect(new Set(named)).toEqual(new Set(Object.keys(Config.properties)));
});
