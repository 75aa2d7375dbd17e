import { generateKeyPairSync, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeBuildReference } from '@mayfly/contracts/build-reference';
import { expect, onTestFinished, test } from 'vitest';
import { runInProcess as runMayfly } from './trust-in-test.ts';

const KID = 'k'.repeat(43);
const own = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const now = Math.floor(Date.now() / 1000);

type Options = { key?: KeyObject; alg?: string; kid?: string };

function tokenOf(
  issuer: string,
  claims: object = {},
  { key = own.privateKey, alg = 'RS256', kid = KID }: Options = {},
): string {
  const body = {
    ...{ iss: issuer, sub: 'repo:7', aud: 'https://api.example', iat: now, nbf: now - 30, exp: now + 300 },
    ...{ jti: `${writeBuildReference({ source: 'ci', id: 'b/1', attempt: 1 })}.x`, ...claims },
  };
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${encode({ alg, kid, typ: 'JWT' })}.${encode(body)}`;
  return `${signed}.${sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

/** Stands in for jwks-publisher: a key set, introspection for one relying party, and one finished build. */
async function startPublisher(state: { active: boolean; status?: number }) {
  const asked: string[] = [];
  const jwk = { ...(own.publicKey.export({ format: 'jwk' }) as JsonWebKey), kid: KID, alg: 'RS256' };
  const ecJwk = {
    ...(ec.publicKey.export({ format: 'jwk' }) as JsonWebKey),
    kid: 'e'.repeat(43),
    alg: 'ES256',
  };
  const answer = (url: string, authorization: string | undefined): [number, object] => {
    if (state.status) return [state.status, { error: 'temporarily_unavailable' }];
    if (url === '/ci/jwks') return [200, { keys: [jwk, ecJwk] }];
    if (authorization !== `Basic ${Buffer.from('api:s3cret').toString('base64')}`) return [401, {}];
    if (url === '/ci/builds/b%2F1')
      return [200, { id: 'b/1', attempt: 1, state: 'finished', reason: 'failure' }];
    return [200, state.active ? { active: true, build: { id: 'b/1' } } : { active: false }];
  };
  const server = createServer(({ url = '', headers }, response) => {
    asked.push(url);
    const [status, body] = answer(url, headers.authorization);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}/ci`;
  return {
    issuer,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function secretFile(secret = 's3cret\n'): string {
  const directory = mkdtempSync(join(tmpdir(), 'secret-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'secret');
  writeFileSync(file, secret);
  return file;
}

test('a token from standard input is shown with its build, and its signature is not', async () => {
  const token = tokenOf('https://id.example/ci');

  const { code, stdout, stderr } = await runMayfly(['token', 'inspect'], { input: `${token}\n` });

  expect(code).toBe(0);
  expect(stdout).toMatch(/^Token of build b\/1 of ci, attempt 1/);
  expect(stdout).toMatch(/exp .* in \d+ s/);
  expect(stdout).toMatch(/not verified: give --issuer URL/);
  expect(stdout + stderr).not.toContain(token.split('.')[2]);
  expect(stderr).toBe('');
});

test('a token given as an argument is taken, and it is said that others can see it', async () => {
  const { code, stderr } = await runMayfly(['token', 'inspect', tokenOf('https://id.example/ci')]);

  expect(code).toBe(0);
  expect(stderr).toMatch(/visible to other processes: give it on standard input, or with --file FILE/);
});

test('the signature is verified with the keys of the issuer that is named, and another is exit code 4', async () => {
  await using publisher = await startPublisher({ active: true });
  const run = async (options: Options) => {
    const { code, stdout } = await runMayfly(['token', 'inspect', '--json', '--issuer', publisher.issuer], {
      input: tokenOf(publisher.issuer, {}, options),
    });
    return `${code} ${JSON.parse(stdout).issuer.signature}`;
  };
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 });

  expect(await run({})).toBe('0 good');
  expect(await run({ key: other.privateKey })).toBe('4 bad');
  expect(await run({ kid: 'x'.repeat(43) })).toBe('4 no such key');
  expect(await run({ key: ec.privateKey, alg: 'ES256', kid: 'e'.repeat(43) })).toBe('0 good');
  expect(await run({ alg: 'ES256' })).toBe('4 bad');
});

test('introspection says active, or not and why, by exit code 0 and 4', async () => {
  const state = { active: true };
  await using publisher = await startPublisher(state);
  const file = secretFile();
  const args = [
    'token',
    'inspect',
    '--issuer',
    publisher.issuer,
    '--relying-party',
    'api',
    '--secret-file',
    file,
  ];
  const input = tokenOf(publisher.issuer);

  const active = await runMayfly(args, { input });
  state.active = false;
  const inactive = await runMayfly(args, { input });

  expect(active).toMatchObject({ code: 0, stdout: expect.stringMatching(/Introspection\n {2}active\n/) });
  expect(inactive.code).toBe(4);
  expect(inactive.stdout).toMatch(/NOT ACTIVE\n {2}its build is finished \(failure\)/);
  expect(inactive.stdout + inactive.stderr).not.toContain('s3cret');
});

test('an issuer that does not know the secret, that cannot answer, or that is not there is told apart', async () => {
  const state: { active: boolean; status?: number } = { active: true };
  await using publisher = await startPublisher(state);
  const run = async (issuer: string, secret?: string) => {
    const credentials = ['--relying-party', 'api', '--secret-file', secretFile(secret)];
    const { code, stderr } = await runMayfly(['token', 'inspect', '--issuer', issuer, ...credentials], {
      input: tokenOf(issuer),
    });
    return `${code} ${stderr}`;
  };

  expect(await run(publisher.issuer, 'wrong')).toMatch(
    /^4 .*does not know this relying party .* check --relying-party/,
  );
  state.status = 503;
  expect(await run(publisher.issuer)).toMatch(/^5 .*status 503.* run this again/);
  expect(await run('http://127.0.0.1:1/ci')).toMatch(/^5 .*does not answer/);
});

test('credentials go to no address that a token says, and to none without https', async () => {
  await using publisher = await startPublisher({ active: true });
  const credentials = ['--relying-party', 'api', '--secret-file', secretFile()];
  const input = tokenOf(publisher.issuer);

  const unnamed = await runMayfly(['token', 'inspect', ...credentials], { input });
  const plain = await runMayfly(['token', 'inspect', '--issuer', 'http://id.example/ci', ...credentials], {
    input,
  });

  expect(unnamed).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/only to an issuer that you name: give --issuer/),
  });
  expect(plain).toMatchObject({ code: 2, stderr: expect.stringMatching(/not reached by https/) });
  expect(publisher.asked).toEqual([]);
});

test('what is no token is exit code 3 with what to give, and is not repeated', async () => {
  const { code, stderr } = await runMayfly(['token', 'inspect'], { input: 'mfr_c2VjcmV0c2VjcmV0_secret' });

  expect(code).toBe(3);
  expect(stderr).toMatch(/request token of a build.*keep it secret/);
  expect(stderr).not.toContain('c2VjcmV0');
});
