import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { compactDecrypt } from 'jose';
import { expect, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { introspect, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const BUILDS = 20;
const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;

/** What is looked for: bytes, and what they are. */
type Needle = { what: string; bytes: Buffer };

test('no file that a system writes holds a private key or a token, in any of the forms that they take', async () => {
  await using system = await testSystem();
  const tokens = await useEverything(system);
  const members = await privateMembers(system);
  const folder = folderOf(system);
  await saveRedis(system);

  const needles = [
    ...tokens.flatMap((token) => formsOf('token', Buffer.from(token))),
    ...members.flatMap((member) => [
      ...formsOf('private member as text', Buffer.from(member)),
      ...formsOf('private member', Buffer.from(member, 'base64url')),
    ]),
  ];

  expect(tokens.length).toBeGreaterThanOrEqual(BUILDS * 3);
  expect(members.length).toBeGreaterThanOrEqual(2 * 2 * 7);
  expect(namesIn(folder)).toEqual(
    expect.arrayContaining([expect.stringContaining('.blk'), expect.stringContaining('.rdb')]),
  );
  expect(search(folder, needles)).toEqual([]);
  expect(
    namesIn(folder).filter((name) => /(^|\/)core(\.\d+)?$|\.heapsnapshot$|report\..*\.json$/.test(name)),
  ).toEqual([]);
});

test('the search finds what it looks for, however it is written', () => {
  const secret = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz-secret');
  const forms = [
    secret,
    Buffer.from(secret.toString('hex')),
    Buffer.from(secret.toString('hex').toUpperCase()),
    ...['', 'x', 'xy'].flatMap((before) => {
      const framed = Buffer.concat([Buffer.from(before), secret, Buffer.from('after')]);
      return [Buffer.from(framed.toString('base64')), Buffer.from(framed.toString('base64url'))];
    }),
  ];

  for (const form of forms) {
    const folder = mkdtempSync(join(tmpdir(), 'mayfly-search-'));
    writeFileSync(join(folder, 'file'), Buffer.concat([Buffer.from('before '), form, Buffer.from(' after')]));
    expect(search(folder, formsOf('secret', secret))).toEqual(['secret in file']);
    rmSync(folder, { recursive: true });
  }
});

/** Runs builds through every path by which tokens go; gives every token that there was. */
async function useEverything(system: TestSystem): Promise<string[]> {
  await using ci = await connectCi(system);
  const tokens: string[] = [];
  for (let index = 0; index < BUILDS; index++) {
    const id = `build-${index}`;
    await ci.start({ id });
    const grant = await ci.heard(id);
    const more = await requestToken(system, grant, AUDIENCE);
    const token = more.body['value'] ?? more.body['token'] ?? more.body['id_token'];
    await introspect(system, token as string);
    // Refused requests are logged too: their tokens must not be.
    await introspect(system, `${token as string}x`);
    await requestToken(system, grant, 'audience=nobody');
    if (index % 2) await ci.finish(id);
    await ci.askGrant(id);
    tokens.push(grant.data.id_token_request_token, ...Object.values(grant.data.id_tokens), token as string);
  }
  return tokens;
}

/** Opens the sealed keyrings with the key that the system's secrets hold; gives every private member of every key. */
async function privateMembers(system: TestSystem): Promise<string[]> {
  const nats = await connect({
    servers: [system.natsUrl],
    user: 'key-manager',
    pass: system.secret('nats-key-manager'),
    inboxPrefix: '_INBOX.key-manager',
  });
  const jsm = await jetstreamManager(nats, { checkAPI: false });
  const members: string[] = [];
  for (const source of ['acme', 'other']) {
    const message = await jsm.streams.getMessage('KV_keyring', { last_by_subj: `$KV.keyring.${source}` });
    const key = Buffer.from(system.secret('key-encryption.key'), 'hex');
    const { plaintext } = await compactDecrypt(message?.string() ?? '', key);
    const { keys } = JSON.parse(new TextDecoder().decode(plaintext)) as {
      keys: { jwk: Record<string, string> }[];
    };
    for (const { jwk } of keys)
      members.push(...['d', 'p', 'q', 'dp', 'dq', 'qi'].flatMap((name) => jwk[name] ?? []));
  }
  await nats.close();
  return members;
}

async function saveRedis(system: TestSystem): Promise<void> {
  const redis = new Redis(system.redisUrl, {
    username: 'operator',
    password: system.secret('redis-operator'),
  });
  const before = await redis.lastsave();
  await eventually(() => redis.bgsave().then(Boolean, () => false), 'save of Redis');
  await eventually(
    async () => (await redis.lastsave()) > before || Date.now() / 1000 - before < 1,
    'saved Redis',
  );
  redis.disconnect();
}

/** Gives the folder of a system: where the policy lies that its processes were started with. */
function folderOf(system: TestSystem): string {
  const port = new URL(system.opsUrlOf('key-manager')).port;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const variables = environmentOf(pid);
    const config = variables.find((line) => line.startsWith('MAYFLY_CONFIG='));
    if (config && variables.includes(`OPS_PORT=${port}`))
      return join(config.slice('MAYFLY_CONFIG='.length), '..');
  }
  throw new Error('the system has no folder');
}

function environmentOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Gives every form that bytes are written in: raw, hexadecimal, and both kinds of base64 at each of three alignments. */
function formsOf(what: string, bytes: Buffer): Needle[] {
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replaceAll('=', '');
    // The first and last characters also hold bits of what stands beside.
    return text.slice(shift === 0 ? 0 : shift + 1, -1);
  });
  const urls = base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_'));
  const hex = bytes.toString('hex');
  const texts = [...base64, ...urls, hex, hex.toUpperCase()].map((text) => Buffer.from(text));
  return [bytes, ...texts].map((form) => ({ what, bytes: form }));
}

const namesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Gives what was found where, each once. */
function search(folder: string, needles: readonly Needle[]): string[] {
  const found = new Set<string>();
  for (const name of namesIn(folder)) {
    const contents = readFileSync(name);
    for (const { what, bytes } of needles)
      if (contents.includes(bytes)) found.add(`${what} in ${name.slice(folder.length + 1)}`);
  }
  return [...found];
}
