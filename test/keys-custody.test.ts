import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type JetStreamManager, jetstreamManager } from '@nats-io/jetstream';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { command, readKeySet, signIdToken } from './keys-requests.ts';
import { type KeysSystem, keysSystem } from './keys-system.ts';

const NEW_KEY = '5a'.repeat(32);
const SOURCES = ['acme', 'other'];

let system: KeysSystem;
let jsm: JetStreamManager;
beforeAll(async () => {
  system = await keysSystem({ replicas: 2 });
  jsm = await jetstreamManager(await system.connectAs('key-manager'), { checkAPI: false });
});
afterAll(() => system[Symbol.asyncDispose]());

test('neither a signal nor a crash takes anything out of the memory of a running key manager', async () => {
  const name = system.replicas[0] as string;
  const pid = system.pid(name);

  process.kill(pid, 'SIGUSR1');

  expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max core file size +0 +0 /m);
  expect(readFileSync(`/proc/${pid}/coredump_filter`, 'utf8').trim()).toBe('00000000');
  const issuer = await system.connectAs('issuer');
  for (let i = 0; i < 5; i++) expect(await signIdToken(issuer)).toHaveProperty('token');
  expect(system.log(name)).not.toContain('Debugger');
  expect(system.log(name)).not.toContain('memory can leave this process');
});

test('a process that crashes where core dumps are allowed leaves none', async () => {
  const isPlain = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim() === 'core';
  if (isPlain) expect(await dumpOf('')).toEqual(['core']);
  expect(await dumpOf('harden({ execArgv: [], nodeOptions: "" });')).toEqual([]);
});

test('a key manager does not start with an inspector, or with what writes its memory to a file', async () => {
  const options = ['--inspect=0', '--heapsnapshot-signal=SIGUSR2', '--report-on-signal', '--heap-prof'];
  for (const refusal of await Promise.all(options.map(refusalWith)))
    expect(refusal).toMatch(/key-manager does not run with an inspector/);
});

test('the key-encryption key changes while tokens are signed, one replica after the other, and the old one is then good for nothing', async () => {
  const old = system.secret('key-encryption.key');
  const file = join(system.dir, 'secrets', 'key-encryption.key');
  const [operator, publisher, issuer] = await Promise.all([
    system.connectAs('operator'),
    system.connectAs('jwks-publisher'),
    system.connectAs('issuer'),
  ]);
  const before = await readKeySet(publisher);
  const oldKids = await sealingKeys();
  const [first, second] = system.replicas as [string, string];
  const restart = async (name: string, text: string) => {
    writeFileSync(file, text);
    await system.kill(name);
    const starting = system.start(name);
    // NATS may give the first to who has just been killed.
    const signed = () => signIdToken(issuer).catch(() => ({}));
    await eventually(async () => 'token' in (await signed()), 'token from the other replica');
    await starting;
  };

  await restart(first, `${old}\n${NEW_KEY}\n`);
  await restart(second, `${old}\n${NEW_KEY}\n`);
  expect(await sealingKeys()).toEqual(oldKids);
  await restart(first, `${NEW_KEY}\n${old}\n`);
  expect(await signIdToken(issuer)).toHaveProperty('token');
  const isResealed = async () => (await sealingKeys()).every((kid) => !oldKids.includes(kid));
  await eventually(isResealed, 'resealed keyrings');
  await restart(second, `${NEW_KEY}\n`);

  expect(await isResealed()).toBe(true);
  expect(await readKeySet(publisher)).toEqual(before);
  expect(await command(operator, 'list')).toHaveProperty('keys');
});

test('of a keyring that was replaced nothing is left in the bucket', async () => {
  const { state } = await jsm.streams.info('KV_keyring');

  expect(state.last_seq).toBeGreaterThan(SOURCES.length);
  expect(state.messages).toBe(SOURCES.length);
});

/** Gives the kids of the keys that the keyrings in the bucket are sealed under. */
async function sealingKeys(): Promise<unknown[]> {
  return await Promise.all(
    SOURCES.map(async (source) => {
      const message = await jsm.streams.getMessage('KV_keyring', { last_by_subj: `$KV.keyring.${source}` });
      return decodeProtectedHeader(message?.string() ?? '').kid;
    }),
  );
}

/** Runs a process that aborts, after `code`, where core dumps are allowed; gives the names of the dumps. */
async function dumpOf(code: string): Promise<string[]> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-dump-'));
  const harden = fileURLToPath(new URL('../services/key-manager/src/harden.ts', import.meta.url));
  writeFileSync(
    join(dir, 'crash.ts'),
    `import { harden } from '${harden}'; void harden; ${code} process.abort();`,
  );
  const script = 'ulimit -c unlimited; exec "$0" crash.ts';
  const child = spawn('sh', ['-c', script, process.execPath], { cwd: dir, stdio: 'ignore' });
  await once(child, 'exit');
  const names = readdirSync(dir).filter((name) => name !== 'crash.ts');
  rmSync(dir, { recursive: true });
  return names.map((name) => name.replace(/\.\d+$/, ''));
}

/** Starts a key manager with an option of Node; gives what it said before it ended. */
async function refusalWith(option: string): Promise<string> {
  const main = fileURLToPath(new URL('../services/key-manager/src/main.ts', import.meta.url));
  const env = { PATH: process.env['PATH'], NODE_OPTIONS: option };
  const child = spawn(process.execPath, [main], {
    cwd: system.dir,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk;
  });
  await once(child, 'close');
  return said;
}
