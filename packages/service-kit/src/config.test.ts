import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { afterAll, expect, test } from 'vitest';
import { port, readSecrets, secretFile } from './config.ts';
import { readSettings } from './settings.ts';

const dir = mkdtempSync(join(tmpdir(), 'mayfly-config-'));
afterAll(() => rmSync(dir, { recursive: true }));
const secret = join(dir, 'secret');
writeFileSync(secret, 'hush\n');
const Config = Type.Object({
  URL: Type.String({ pattern: '^https://' }),
  PORT: port('A port.'),
  HOST: Type.String({ default: '127.0.0.1' }),
  PASSWORD_FILE: secretFile('A secret.'),
  EXTRA: Type.Optional(Type.String()),
});

const readEnv = (env: Record<string, string>) => readSettings(Config, env, () => ({}));

test('settings come from the environment, with defaults, and secrets from their files', () => {
  const config = readEnv({ URL: 'https://x', PORT: '80', PASSWORD_FILE: secret, OTHER: 'ignored' });

  expect(config).toEqual({ URL: 'https://x', PORT: 80, HOST: '127.0.0.1', PASSWORD_FILE: 'hush' });
  expect(Object.isFrozen(config)).toBe(true);
});

test('every fault is named at once, and no value', () => {
  const read = () => readEnv({ URL: 'ftp://hunter2', PORT: 'many', PASSWORD_FILE: join(dir, 'nothing') });

  expect(read).toThrow(/URL must match.*PORT must be.*PASSWORD_FILE cannot be read/);
  expect(read).toThrow(expect.objectContaining({ message: expect.not.stringContaining('hunter2') }));
});

test('an empty secret is a fault', () => {
  writeFileSync(join(dir, 'empty'), '\n');

  expect(() => readEnv({ URL: 'https://x', PORT: '1', PASSWORD_FILE: join(dir, 'empty') })).toThrow(
    'PASSWORD_FILE names an empty file',
  );
});

test('a name without a secret is a fault', () => {
  const long = 'x'.repeat(16);
  expect(readSecrets('F', JSON.stringify({ a: long, b: '2' }), ['a'])).toEqual({ a: long });
  expect(() => readSecrets('F', JSON.stringify({ a: long.slice(1) }), ['a'])).toThrow(
    'F has secrets of fewer than 16 characters, which may be guessed: a',
  );
  expect(() => readSecrets('F', '{"a":""}', ['a', 'b', 'toString'])).toThrow(
    'F has no secret for a, b, toString',
  );
  expect(() => readSecrets('F', 'x', [])).toThrow('F must hold a JSON object');
});
