import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isOlder } from './server.ts';
import { findServers } from './servers.ts';

let root: string;
let said: string[];
const say = (line: string) => said.push(line);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mayfly-servers-'));
  said = [];
  vi.stubEnv('MAYFLY_NATS_SERVER', '');
  vi.stubEnv('MAYFLY_REDIS_SERVER', '');
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

/** Puts a program into `folder` that prints `line`, whatever it is asked. */
function program(folder: string, name: string, line: string): string {
  mkdirSync(join(root, folder), { recursive: true });
  const file = join(root, folder, name);
  writeFileSync(file, `#!/bin/sh\necho '${line}'\n`);
  chmodSync(file, 0o755);
  return file;
}

const find = (path: string) => findServers({ cache: join(root, 'cache'), say: (line) => say(line), path });

test('servers on PATH are taken, and nothing is fetched for them', async () => {
  const nats = program('bin', 'nats-server', 'nats-server: v2.11.6');
  program('bin', 'redis-server', 'Redis server v=8.0.2 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64');

  const found = await find(join(root, 'bin'));

  expect(found.nats).toMatchObject({ version: '2.11.6', from: 'PATH' });
  expect(found.redis).toMatchObject({ version: '8.0.2', from: 'PATH' });
  expect(found.nats.command('/etc/nats.conf', '/etc', [])).toEqual({
    file: nats,
    args: ['-c', '/etc/nats.conf'],
  });
  expect(readdirSync(root)).toEqual(['bin']);
  expect(said).toEqual([]);
});

test('a nats-server on PATH that is too old is passed over for a newer one, with its version and the reason', async () => {
  const old = program('old', 'nats-server', 'nats-server: v2.9.10');
  program('new', 'nats-server', 'nats-server: v2.10.27');
  program('new', 'redis-server', 'Redis server v=7.0.15 sha=0');

  const found = await find(`${join(root, 'old')}:${join(root, 'new')}`);

  expect(found.nats).toMatchObject({ version: '2.10.27', from: 'PATH' });
  expect(said).toHaveLength(1);
  expect(said[0]).toContain(`nats-server 2.9.10 (${old})`);
  expect(said[0]).toContain('Mayfly needs 2.10.27 or newer');
});

test('servers in the cache are taken when PATH has none, with the libraries beside them', async () => {
  program('cache/nats-trixie/usr/sbin', 'nats-server', 'nats-server: v2.10.27');
  program('cache/redis/usr/bin', 'redis-server', 'Redis server v=7.0.15 sha=0');
  mkdirSync(join(root, 'cache/redis/usr/lib/x86_64-linux-gnu'), { recursive: true });

  const found = await find('');

  expect(found.nats).toMatchObject({ version: '2.10.27', from: 'cache' });
  expect(found.redis).toMatchObject({ version: '7.0.15', from: 'cache' });
  expect(found.redis.command('redis.conf', '', []).env).toEqual({
    LD_LIBRARY_PATH: join(root, 'cache/redis/usr/lib/x86_64-linux-gnu'),
  });
  expect(said).toEqual([]);
});

test('a server that is named in the environment comes before PATH, and is refused when it is too old', async () => {
  program('bin', 'nats-server', 'nats-server: v2.10.27');
  program('bin', 'redis-server', 'Redis server v=7.0.15 sha=0');
  vi.stubEnv('MAYFLY_NATS_SERVER', program('named', 'nats', 'nats-server: v2.15.1'));

  const found = await find(join(root, 'bin'));

  expect(found.nats).toMatchObject({ version: '2.15.1', from: 'MAYFLY_NATS_SERVER' });

  vi.stubEnv('MAYFLY_NATS_SERVER', program('named', 'nats', 'nats-server: v2.9.10'));
  await expect(find(join(root, 'bin'))).rejects.toThrow('2.9.10');
});

test('servers come from Docker when there is no apt, as containers of this user that die with their client', async () => {
  const docker = program('bin', 'docker', 'Redis server v=8.0.2 sha=0');
  program('bin', 'nats-server', 'nats-server: v2.10.27');

  const { redis } = await find(join(root, 'bin'));
  const { file, args, stop } = redis.command('/mayfly/redis.conf', '/mayfly', [6379]);

  expect(redis).toMatchObject({ version: '8.0.2', from: 'Docker' });
  expect(docker).toBe(join(root, 'bin', file));
  expect(args).toEqual(expect.arrayContaining(['run', '--rm', '--init', '/mayfly:/mayfly', 'redis:8.0']));
  expect(args[args.indexOf('--user') + 1]).toBe(`${process.getuid?.()}:${process.getgid?.()}`);
  expect(stop?.args).toEqual(['rm', '-f', args[args.indexOf('--name') + 1]]);
});

test('a search that is ended says nothing about servers, and removes none from the cache', async () => {
  const cached = program('cache/nats-trixie/usr/sbin', 'nats-server', 'nats-server: v2.10.27');
  const stopping = new AbortController();
  const say = (line: string) => said.push(line);

  const search = findServers({ cache: join(root, 'cache'), say, path: '', signal: stopping.signal });
  stopping.abort();

  await expect(search).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  expect(existsSync(cached)).toBe(true);
  expect(said).toEqual([]);
});

test('one error says what would do when no server is to be had', async () => {
  const error = await find('').catch((caught: Error) => caught);

  expect(error).toBeInstanceOf(Error);
  const { message } = error as Error;
  for (const word of ['nats-server 2.10.27', 'redis-server 7.0.0', 'PATH', 'Debian', 'Docker']) {
    expect(message).toContain(word);
  }
});

test.for([
  ['2.9.10', true],
  ['2.10.22', true],
  ['2.10.27', false],
  ['2.11.0', false],
  ['10.0.0', false],
] as const)('%s is older than 2.10.27: %s', ([version, expected]) => {
  const actual = isOlder(version, '2.10.27');

  expect(actual).toBe(expected);
});
