import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { importJWK } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { unless } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';

const PATHS = [
  '/acme/.well-known/openid-configuration',
  '/.well-known/oauth-authorization-server/acme',
  '/acme/jwks',
];
const schemaFile = fileURLToPath(
  new URL(
    '../../shared/vectors/oidf-conformance/oauth_authorization_server_metadata.schema.json',
    import.meta.url,
  ),
);

let system: TestSystem;
let slow: Socket;
let saidToSlow = '';
const cache = mkdtempSync(join(tmpdir(), 'mayfly-cache-'));

beforeAll(async () => {
  system = await testSystem({ environment: { 'jwks-publisher': { CACHE_DIR: cache } } });
  const { hostname, port } = new URL(urlOf('/'));
  slow = connect(Number(port), hostname);
  slow.on('error', () => undefined);
  slow.write('GET /acme/jwks HTTP/1.1\r\nhost: x\r\n');
  slow.on('data', (chunk: Buffer) => {
    saidToSlow += chunk.toString();
  });
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  rmSync(cache, { recursive: true, force: true });
});

const urlOf = (path: string) => `${system.urlOf('jwks-publisher')}${path}`;
const get = async (path: string, init: RequestInit = {}) => {
  const response = await fetch(urlOf(path), { redirect: 'manual', ...init });
  const { status, headers } = response;
  const text = await response.text();
  return { status, headers, text, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
};

test('the metadata names its issuer byte for byte, the same at both well-known addresses', async () => {
  const [openid, oauth] = await Promise.all(PATHS.slice(0, 2).map((path) => get(path)));
  const issuer = `${system.baseUrl}/acme`;

  expect(openid?.text).toBe(oauth?.text);
  expect(openid?.body['issuer']).toBe(issuer);
  expect(openid?.body).toMatchObject({
    jwks_uri: `${issuer}/jwks`,
    introspection_endpoint: `${issuer}/introspect`,
    status_list_aggregation_endpoint: `${issuer}/status-lists`,
    id_token_signing_alg_values_supported: ['RS256', 'ES256'],
    token_endpoint: `${system.requestUrl}/token`,
  });
});

test('every document has a strong tag, a life, the right type, and 304 for whoever has it', async () => {
  for (const path of PATHS) {
    const { status, headers, text } = await get(path);
    const etag = headers.get('etag') ?? '';
    const head = await get(path, { method: 'HEAD' });
    const again = await get(path, { headers: { 'if-none-match': `W/"x", ${etag}` } });
    const other = await get(path, { headers: { 'if-none-match': '"x"' } });

    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^application\/(json|jwk-set\+json)$/);
    expect(headers.get('cache-control')).toBe(
      'public, max-age=300, stale-while-revalidate=60, stale-if-error=86400',
    );
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    expect(head).toMatchObject({ status: 200, text: '' });
    expect(head.headers.get('content-length')).toBe(String(text.length));
    expect(head.headers.get('etag')).toBe(etag);
    expect(again).toMatchObject({ status: 304, text: '' });
    expect(again.headers.get('etag')).toBe(etag);
    expect(again.headers.get('cache-control')).toBe(headers.get('cache-control'));
    expect(other).toMatchObject({ status: 200, text });
  }
});

test('a GET with the headers and the body of a POST is answered like any other', async () => {
  for (const path of PATHS) {
    const plain = await get(path);
    const odd = await oddGet(urlOf(path));

    expect(odd).toEqual({ status: 200, text: plain.text });
  }
});

test('a web page of any origin may read the documents, and asks first without harm', async () => {
  for (const path of PATHS) {
    const plain = await get(path, { headers: { origin: 'https://app.example.com' } });
    const preflight = await get(path, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com', 'access-control-request-method': 'GET' },
    });

    expect(plain.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*');
    expect(preflight.headers.get('access-control-allow-methods')).toContain('GET');
  }
});

test('nothing is ever redirected, and what is not there or not allowed says so in JSON', async () => {
  for (const path of [
    ...PATHS.map((one) => `${one}/`),
    '/acme',
    '/acme/',
    '/',
    '/nobody/jwks',
    '/acme//jwks',
    '/%zz',
  ]) {
    const { status, body } = await get(path);

    expect([400, 404]).toContain(status);
    expect(body).toHaveProperty('error_description');
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const { status, headers, body } = await get('/acme/jwks', {
      method,
      ...(method === 'POST' ? { body: '{"a":1}', headers: { 'content-type': 'application/json' } } : {}),
    });

    expect(status).toBe(405);
    expect(headers.get('allow')).toBe('GET, HEAD, OPTIONS');
    expect(body).toHaveProperty('error', 'invalid_request');
  }
});

test('every key names itself, its use and its algorithm, is RSA or P-256, and has nothing private', async () => {
  const { body, text } = await get('/acme/jwks');
  const keys = body['keys'] as Record<string, string>[];

  expect(keys.length).toBeGreaterThanOrEqual(2);
  expect(text.length).toBeLessThan(4096);
  for (const { kid, alg, use, kty, ...rest } of keys) {
    expect({ kty, alg, use }).toEqual(
      kty === 'RSA' ? { kty, alg: 'RS256', use: 'sig' } : { kty: 'EC', alg: 'ES256', use: 'sig' },
    );
    expect(new Set(Object.keys(rest))).toEqual(new Set(kty === 'RSA' ? ['e', 'n'] : ['crv', 'x', 'y']));
    await importJWK({ kty, ...rest } as never, alg);
    expect(kid).toMatch(/^[\w-]{43}$/);
  }
});

/** What the OpenID suite asks of a provider that people log in at, and a CI issuer cannot have. */
const DEVIATIONS = [
  'authorization_endpoint: nobody logs in here',
  'https: this deployment of a test is on this machine; the suite takes nothing else',
  'userinfo_endpoint: there is no user (a warning)',
  'status_list_aggregation_endpoint, introspection_endpoint: unknown to OpenID Discovery (a warning)',
];

test('the metadata passes what the OpenID suite checks of a provider, but for the listed deviations', async () => {
  const { status, headers, body } = await get('/acme/.well-known/openid-configuration');
  const issuer = new URL(body['issuer'] as string);
  const isHttp = (name: string) => /^https?:\/\//.test(String(body[name]));

  expect(status).toBe(200);
  expect(headers.get('content-type')).toContain('application/json');
  expect(body['response_types_supported']).toContain('id_token');
  expect([issuer.search, issuer.hash, issuer.username, issuer.password]).toEqual(['', '', '', '']);
  expect(body['subject_types_supported']).toContain('public');
  expect(body['id_token_signing_alg_values_supported']).toContain('RS256');
  expect(['jwks_uri', 'token_endpoint', 'introspection_endpoint'].every(isHttp)).toBe(true);
  expect((body['grant_types_supported'] as string[]).length).toBeGreaterThan(0);
  expect(body['scopes_supported']).toContain('openid');
  expect(body['claims_supported']).toContain('sub');
  expect('authorization_endpoint' in body).toBe(false);
  expect(DEVIATIONS).toHaveLength(4);
});

const noSchema = existsSync(schemaFile) ? undefined : 'the schema is not beside this repository';
test("the metadata fits the OpenID suite's schema of RFC 8414", unless(noSchema), async () => {
  const ajv = new Ajv2020({ strict: false, formats: { uri: (text: string) => URL.canParse(text) } });
  const validate = ajv.compile(JSON.parse(readFileSync(schemaFile, 'utf8')) as object);

  for (const path of PATHS.slice(0, 2)) {
    expect(validate((await get(path)).body), JSON.stringify(validate.errors)).toBe(true);
  }
});

test('a client that sends its headers too slowly is cut off, in the shape of every other refusal', async () => {
  await eventually(() => slow.destroyed || slow.readableEnded, 'end of the slow connection', 9000);

  expect(saidToSlow).toContain('408 Request Timeout');
  expect(saidToSlow).toContain('"error":"invalid_request"');
});

test('the documents are served with NATS and Redis gone, also by a process that starts then, as long as they hold', async () => {
  const before = await get('/acme/jwks');
  await Promise.all([system.kill('nats'), system.kill('redis')]);
  expect(await get('/acme/jwks')).toMatchObject({ status: 200, text: before.text });

  await system.stop('jwks-publisher');
  await system.start('jwks-publisher');
  expect(await get('/acme/jwks')).toMatchObject({ status: 200, text: before.text });
  expect(await get('/acme/.well-known/openid-configuration')).toMatchObject({ status: 200 });

  await system.stop('jwks-publisher');
  const longAgo = Date.now() / 1000 - 26 * 3600 - 1;
  for (const file of readdirSync(cache)) utimesSync(join(cache, file), longAgo, longAgo);
  const started = system.start('jwks-publisher');
  started.catch(() => undefined);
  const refused = await eventually(() => get('/acme/jwks').catch(() => undefined), 'answer of the publisher');
  expect(refused.status).toBe(503);
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('cache-control')).toBe('no-store');

  await Promise.all([system.start('nats'), system.start('redis')]);
  await started;
  expect(await get('/acme/jwks')).toMatchObject({ status: 200, text: before.text });
});

/** Sends a GET as radosgw does: with the content type of a form, without a user agent; and with a body besides. */
function oddGet(url: string): Promise<{ status: number | undefined; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/x-www-form-urlencoded',
      'content-length': '3',
      accept: 'x/y',
    };
    const asking = request(url, { method: 'GET', headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
    });
    asking.on('error', reject);
    asking.end('a=b');
  });
}
