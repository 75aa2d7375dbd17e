import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { resolveSecrets } from './secrets-resolve.ts';
import { loginToVault } from './vault.ts';
import { keepLease } from './vault-lease.ts';
import { vaultAt } from './vault-request.ts';

type Answer = { status: number; body: object };
type Answers = (path: string, request: IncomingMessage) => Answer | undefined;

/** A server that says to each path what a Vault would; it decides nothing. */
async function stubVault(answers: Answers) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    const { status, body } = answers(path, request) ?? { status: 404, body: { errors: [] } };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

const login = (auth: object): Answer => ({
  status: 200,
  body: { auth: { client_token: 'hvs.stub', lease_duration: 3600, renewable: false, ...auth } },
});

async function warningsOfSession(
  auth: object,
  revoked: Answer,
): Promise<{ warned: string[]; asked: string[] }> {
  const vault = await stubVault((path) => {
    if (path.endsWith('/login')) return login(auth);
    // Whoever asks has a token of a millisecond for longer than that.
    for (const until = Date.now() + 5; Date.now() < until; );
    return revoked;
  });
  const warned: string[] = [];
  const session = await loginToVault({ url: vault.url, jwt: 'a.b.c', timeoutMs: 2000 }, (line) =>
    warned.push(line),
  );
  await session[Symbol.asyncDispose]();
  return { warned, asked: vault.asked };
}

test('a Vault token that its policies do not let revoke itself is said to live on, and what would help', async () => {
  const denied = { status: 403, body: { errors: ['1 error occurred:\n\t* permission denied\n\n'] } };

  const { warned } = await warningsOfSession({}, denied);

  expect(warned).toEqual([
    'the Vault token was not revoked, and lives 3600 s longer: have one of its policies allow update on auth/token/revoke-self',
  ]);
});

test('of a Vault token whose time is over nothing is said, whatever Vault does', async () => {
  const denied = { status: 403, body: { errors: ['permission denied'] } };

  expect((await warningsOfSession({ lease_duration: 0.001 }, denied)).warned).toEqual([]);
  expect((await warningsOfSession({ lease_duration: 0 }, denied)).warned).toEqual([
    expect.stringContaining('and lives on: have one'),
  ]);
});

test('of a Vault token that is none any more nothing is said', async () => {
  const gone = {
    status: 403,
    body: { errors: ['2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n'] },
  };

  expect((await warningsOfSession({}, gone)).warned).toEqual([]);
  expect((await warningsOfSession({}, { status: 204, body: {} })).warned).toEqual([]);
});

test('a batch token of Vault is not asked to be revoked, which it cannot be, but said to live on', async () => {
  const { warned, asked } = await warningsOfSession({ token_type: 'batch' }, { status: 400, body: {} });

  expect(asked).toEqual(['/v1/auth/jwt/login']);
  expect(warned[0]).toContain('cannot be revoked: it lives 3600 s longer');
});

test('a lease of months is not renewed at once and without end', async () => {
  let renewals = 0;
  const ended = new AbortController();
  const ask = () => {
    renewals += 1;
    return Promise.resolve({ status: 200, body: { auth: { lease_duration: 90 * 86_400 } } });
  };
  const lease = { seconds: 90 * 86_400, token: 't', vault: { origin: 'x', ask }, signal: ended.signal };

  const kept = keepLease({ ...lease, warn: () => undefined, renewed: () => undefined });

  // A timer that is too long would end after a millisecond.
  for (const until = performance.now() + 50; performance.now() < until; ) await new Promise(setImmediate);
  ended.abort();
  await kept;
  expect(renewals).toBe(0);
});

test('while Vault is away a lease is tried again, and the first failure alone is told', async () => {
  let tries = 0;
  const warned: string[] = [];
  const ended = new AbortController();
  const { ask } = vaultAt({ url: 'http://127.0.0.1:1', timeoutMs: 0 });
  const vault = {
    origin: 'x',
    ask: (question: Parameters<typeof ask>[0]) => {
      tries += 1;
      if (tries === 3) ended.abort();
      return ask(question);
    },
  };
  const lease = { seconds: 0.02, token: 't', vault, signal: ended.signal, renewed: () => undefined };

  await keepLease({ ...lease, warn: (line) => warned.push(line) });

  expect(tries).toBe(3);
  expect(warned).toEqual([expect.stringContaining('could not be renewed: Vault at http://127.0.0.1:1')]);
});

test('a Vault that takes the question and never answers is waited for no longer than was told', async () => {
  const server = createTcpServer((socket) => socket.on('error', () => undefined).resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const started = performance.now();

  const asked = vaultAt({ url: `http://127.0.0.1:${port}`, timeoutMs: 300 }).ask({ path: 'sys/health' });

  await expect(asked).rejects.toMatchObject({ failure: 'unreachable' });
  expect(performance.now() - started).toBeLessThan(5000);
});

test('of a field that is no text every text in it is masked too', async () => {
  const field = {
    user: 'administrator',
    ports: [8_080_808_080],
    nested: { password: 'hunter2-hunter2' },
    short: 'x',
    pin: '1234567\n',
  };
  const vault = await stubVault((path) => {
    if (path.endsWith('/login')) return login({});
    return { status: 200, body: { data: { data: { db: field }, metadata: {} } } };
  });
  const masked: string[] = [];
  await using resources = new AsyncDisposableStack();
  const secret = { version: 2, mount: 'kv', path: 'app', field: 'db', token: 'T', isFile: false } as never;

  const [resolved] = await resolveSecrets({
    ...{ secrets: { DB: secret }, variables: { VAULT_SERVER_URL: vault.url }, tokenOf: () => 'a.b.c' },
    ...{ isUnmasked: false, timeoutMs: 2000, signal: new AbortController().signal, resources },
    warn: () => undefined,
    mask: (text) => masked.push(text),
  });

  expect(masked).toEqual(['hvs.stub', resolved?.value, 'administrator', '8080808080', 'hunter2-hunter2']);
});
