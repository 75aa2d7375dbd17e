import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CONTAINER_PLACES } from './container-places.ts';
import { makeDeployment, writePrivate } from './deployment.ts';
import { keepPorts } from './ports.ts';

const POLICY = { sources: { acme: { audiences: ['https://api.example.com'] } } };

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-deployment-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

test('a secret that was cut off as it was written is said to be, and is nobody’s password', () => {
  const dir = folder();
  const { secretFile, secret } = makeDeployment(POLICY, dir, CONTAINER_PLACES);
  expect(secret('nats-bootstrap')).toMatch(/^[0-9a-f]{64}$/);
  writeFileSync(secretFile('nats-bootstrap'), '');

  expect(() => makeDeployment(POLICY, dir, CONTAINER_PLACES)).toThrow(/nats-bootstrap has 0 characters/);
});

test('every secret is kept, and a file that says the same is not written again', () => {
  const dir = folder();
  const first = makeDeployment(POLICY, dir, CONTAINER_PLACES);
  const { ino } = statSync(first.natsConfigFile);
  const before = readFileSync(first.natsConfigFile, 'utf8');

  const again = makeDeployment(POLICY, dir, CONTAINER_PLACES);

  expect(readFileSync(again.natsConfigFile, 'utf8')).toBe(before);
  expect(statSync(again.natsConfigFile).ino).toBe(ino);
});

test('a file is written whole, for its owner alone, whoever could read it before', () => {
  const file = join(folder(), 'file');
  writeFileSync(file, 'old', { mode: 0o644 });

  writePrivate(file, 'new');

  expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['new', 0o600]);
  expect(readdirSync(join(file, '..'))).toEqual(['file']);
});

test('ports that were cut off as they were written are not given out anew', async () => {
  const file = join(folder(), 'ports.json');
  const ports = await keepPorts(file, ['nats', 'redis']);
  expect(await keepPorts(file, ['nats', 'redis'])).toEqual(ports);
  writeFileSync(file, '{"nats": 4');

  await expect(keepPorts(file, ['nats', 'redis'])).rejects.toThrow(/ports.json is no JSON/);
});
