import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { freePort } from '@mayfly/infra/processes';
import { createVerifier, type Verifier, type VerifierOptions } from '@mayfly/verifier';
import { requireIdToken as expressMiddleware } from '@mayfly/verifier/express';
import { requireIdToken as fastifyPlugin } from '@mayfly/verifier/fastify';
import { JwtVerifier } from 'aws-jwt-verify';
import express from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import { createVerifier as fastVerifier } from 'fast-jwt';
import { fastify } from 'fastify';
import getJwks from 'get-jwks';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { API, forgedToken, startedToken } from './introspect-callers.ts';
import { isActive, requestToken } from './relying-party.ts';
import { testCertificate } from './sdk-certificate.ts';
import { TEST_POLICY, type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;
let issuer: string;
/** Good tokens, of both algorithms: for the API, and for AWS. */
let es256: string;
let rs256: string;
let bad: Record<string, string>;
const place = mkdtempSync(join(tmpdir(), 'mayfly-interop-'));

beforeAll(async () => {
  system = await httpsSystem();
  ci = await connectCi(system);
  issuer = `${system.baseUrl}/acme`;
  es256 = await startedToken(ci, { id: 'interop' });
  const aws = await requestToken(system, await ci.heard('interop'), 'audience=sts.amazonaws.com');
  rs256 = aws.body['value'] as string;
  await using other = await connectCi(system, 'other');
  const forged = await forgedToken('no-such-key', issuer);
  bad = {
    forged,
    foreign: await startedToken(other, { id: 'interop' }),
    broken: `${es256.slice(0, -4)}AAAA`,
  };
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
  rmSync(place, { recursive: true });
});

/** A system that serves https, which some take nothing but, with a certificate that this process believes. */
async function httpsSystem(): Promise<TestSystem> {
  const { cert, key } = testCertificate();
  const files = { TLS_CERT_FILE: join(place, 'cert.pem'), TLS_KEY_FILE: join(place, 'key.pem') };
  writeFileSync(files.TLS_CERT_FILE, cert);
  writeFileSync(files.TLS_KEY_FILE, key);
  setDefaultCACertificates([...getCACertificates('default'), cert]);
  const port = await freePort();
  const urls = `base_url: https://localhost:${port}\nrequest_url: http://localhost\n`;
  return await testSystem({
    ...{ policy: urls + TEST_POLICY, ports: { 'jwks-publisher': port }, replicas: 1 },
    environment: { 'jwks-publisher': files },
  });
}

test('openid-client and oauth4webapi find the issuer by its URL alone and introspect', async () => {
  const secret = system.secret('relying-party-api');
  const config = await openid.discovery(new URL(issuer), 'api', undefined, openid.ClientSecretBasic(secret));
  expect(await openid.tokenIntrospection(config, es256)).toMatchObject({ active: true, aud: API });
  expect(await openid.tokenIntrospection(config, bad['forged'] ?? '')).toEqual({ active: false });

  for (const algorithm of ['oidc', 'oauth2'] as const) {
    const answer = await oauth.discoveryRequest(new URL(issuer), { algorithm });
    const server = await oauth.processDiscoveryResponse(new URL(issuer), answer);
    const client = { client_id: 'api' };
    const auth_ = oauth.ClientSecretBasic(secret);
    const told = await oauth.introspectionRequest(server, client, auth_, es256);
    expect(await oauth.processIntrospectionResponse(server, client, told)).toMatchObject({ active: true });
  }
});

test('express-oauth2-jwt-bearer takes good tokens and no other', async () => {
  const app = express();
  app.use(auth({ issuerBaseURL: issuer, audience: API, tokenSigningAlg: 'ES256' }));
  app.get('/', (request, response) => response.end(String(request.auth?.payload['sub'])));
  app.use((error: { status?: number }, _request: never, response: never, _next: never) => {
    const { writeHead } = response as { writeHead(status: number): { end(): void } };
    writeHead.call(response, error.status ?? 500).end();
  });

  await served(app, async (url) => {
    expect(await statusAt(url, es256)).toBe(200);
    for (const token of Object.values(bad)) expect(await statusAt(url, token)).toBe(401);
  });
});

test('fast-jwt with get-jwks takes good tokens of both algorithms and no other', async () => {
  const jwks = getJwks({ issuersWhitelist: [`${issuer}/`, issuer], providerDiscovery: true });
  const verifierFor = (allowedAud: string) =>
    fastVerifier({
      allowedAud,
      allowedIss: issuer,
      algorithms: ['RS256', 'ES256'],
      key: ({ header }: { header: { kid: string; alg: string } }) =>
        jwks.getPublicKey({ kid: header.kid, alg: header.alg, domain: issuer }),
    } as never) as unknown as (token: string) => Promise<Record<string, unknown>>;

  expect(await verifierFor(API)(es256)).toMatchObject({ iss: issuer });
  expect(await verifierFor('sts.amazonaws.com')(rs256)).toMatchObject({ iss: issuer });
  for (const token of [...Object.values(bad), rs256]) await expect(verifierFor(API)(token)).rejects.toThrow();
});

test('aws-jwt-verify takes good tokens and no other', async () => {
  const verifier = JwtVerifier.create({ issuer, audience: API, jwksUri: `${issuer}/jwks` });

  expect(await verifier.verify(es256)).toMatchObject({ iss: issuer, aud: API });
  for (const token of [...Object.values(bad), rs256]) await expect(verifier.verify(token)).rejects.toThrow();
});

const ways: [string, () => VerifierOptions['builds']][] = [
  ['the status list', () => 'status-list'],
  ['the feed', () => 'feed'],
  ['introspection', () => ({ introspection: { name: 'api', secret: system.secret('relying-party-api') } })],
];

test.for(ways)(
  'our verifier takes a token while its build runs and refuses it after, by %s',
  async ([, by]) => {
    using verifier = verifierBy(by());
    const id = `ends-${JSON.stringify(by()).length}`;
    const token = await startedToken(ci, { id });

    expect((await verifier.verify(token)).aud).toBe(API);
    await ci.finish(id);
    await eventually(async () => (await isActive(system, token)) === false, 'inactive token');
    await eventually(async () => (await codeOf(verifier, token)) === 'build_not_running', 'refusal', 30_000);
    expect(await codeOf(verifier, es256)).toBe('taken');
  },
);

test('by a list that was read before its build began our verifier takes a token all the same', async () => {
  using verifier = verifierBy('status-list');
  expect(await codeOf(verifier, es256)).toBe('taken');

  for (const id of ['began-after-1', 'began-after-2', 'began-after-3'])
    expect(await codeOf(verifier, await startedToken(ci, { id }))).toBe('taken');
});

test('a verifier that begins after a build has ended refuses its tokens too', async () => {
  const token = await startedToken(ci, { id: 'ended-before' });
  await ci.finish('ended-before');
  await eventually(async () => (await isActive(system, token)) === false, 'inactive token');

  for (const [, by] of ways) {
    using verifier = verifierBy(by());
    await eventually(async () => (await codeOf(verifier, token)) === 'build_not_running', 'refusal', 30_000);
  }
});

test('the Fastify plugin and the Express middleware let in good tokens, and say why not to others', async () => {
  using verifier = verifierBy('status-list');
  const server = fastify();
  await server.register(fastifyPlugin(verifier));
  server.get('/', (request) => (request as unknown as { idToken: { sub: string } }).idToken.sub);
  await server.ready();
  const app = express();
  app.use(expressMiddleware(verifier));
  app.get('/', (request, response) => response.end((request as { idToken?: { sub: string } }).idToken?.sub));

  for (const listener of [
    app,
    (request, response) => server.routing(request, response),
  ] as RequestListener[]) {
    await served(listener, async (url) => {
      expect(await statusAt(url, es256)).toBe(200);
      for (const token of Object.values(bad)) expect(await statusAt(url, token)).toBe(401);
      const answer = await fetch(url);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer/);
    });
  }
  await server.close();
});

test('when nobody knows which builds run our verifier takes nothing, however it asks', async () => {
  const verifiers = ways.map(([, by]) => verifierBy(by()));
  for (const verifier of verifiers) await verifier.verify(es256);
  await system.pause('build-lifecycle');

  for (const verifier of verifiers) {
    await eventually(async () => (await codeOf(verifier, es256)) === 'cannot_know', 'doubt', 40_000);
  }
  await system.resume('build-lifecycle');
  for (const verifier of verifiers) {
    await eventually(async () => (await codeOf(verifier, es256)) === 'taken', 'certainty', 40_000);
    verifier.close();
  }
});

function verifierBy(builds: VerifierOptions['builds']): Verifier {
  return createVerifier({ issuer, audience: API, ...(builds ? { builds } : {}) });
}

function codeOf(verifier: Verifier, token: string): Promise<string> {
  return verifier.verify(token).then(
    () => 'taken',
    (error: { code: string }) => error.code,
  );
}

async function served(listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function statusAt(url: string, token: string): Promise<number> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } });
  await response.arrayBuffer();
  return response.status;
}
