import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryDirectory } from './run-in-test.ts';
import { openTokenFiles } from './token-files.ts';

function filesInTest() {
  return openTokenFiles({ runtimeDirectory: temporaryDirectory(), workDirectory: temporaryDirectory() });
}

test('who has opened a token file reads it whole, though it is replaced meanwhile', () => {
  const files = filesInTest();
  const path = files.write('VAULT', 'the first one');
  const opened = openSync(path, 'r');

  files.write('VAULT', 'another');

  expect(readFileSync(opened, 'utf8')).toBe('the first one');
  expect([readFileSync(path, 'utf8'), statSync(path).mode & 0o777]).toEqual(['another', 0o600]);
  expect(readdirSync(files.directory)).toEqual(['VAULT']);
  closeSync(opened);
  files.remove();
});

test('from the root of the file system, where an image without a work directory starts, there is a place for token files', () => {
  const runtimeDirectory = temporaryDirectory();

  const files = openTokenFiles({ runtimeDirectory, workDirectory: '/' });

  expect(dirname(files.directory)).toBe(runtimeDirectory);
  files.remove();
});

test('a token file that cannot be written leaves nothing half-written behind', () => {
  const files = filesInTest();
  mkdirSync(join(files.directory, 'VAULT'));

  expect(() => files.write('VAULT', 'a token')).toThrow(
    expect.objectContaining({ failure: 'configuration' }),
  );

  expect(readdirSync(files.directory)).toEqual(['VAULT']);
  files.remove();
});
