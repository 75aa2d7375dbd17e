import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@mayfly/infra/processes';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { API, startedToken } from './introspect-callers.ts';
import { findProxy, startProxy } from './proxy-servers.ts';
import { answerOf, requestToken } from './relying-party.ts';
import { testCertificate } from './sdk-certificate.ts';
import { unless } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';

const POLICY = `
sources:
  acme: { audiences: [${API}, sts.amazonaws.com], algorithms: { ${API}: ES256 }, build_timeout: 1h }
  other: { audiences: [${API}] }
relying_parties:
  api: { audiences: [${API}] }
verify:
  api:
    audience: ${API}
    claims: { repository: [octo/hello, octo/other] }
    headers: { X-Mayfly-Subject: sub, X-Mayfly-Ref: ref, X-Mayfly-Missing: no_such_claim }
  main:
    audience: ${API}
    claims: { ref: refs/heads/main }
`;
const nginx = await findProxy('nginx');
const caddy = await findProxy('caddy');
const tls = testCertificate();
const place = mkdtempSync(join(tmpdir(), 'mayfly-proxy-test-'));

let system: TestSystem;
let ci: Ci;
let token: string;
let elsewhere: string;
let finished: string;
let odd: string;
let behind: IncomingHttpHeaders[] = [];
const backend = createServer((request, response) => {
  behind.push(request.headers);
  response.end('behind');
});

beforeAll(async () => {
  system = await testSystem({ policy: POLICY });
  ci = await connectCi(system);
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  token = await startedToken(ci, { id: 'good' });
  const aws = await requestToken(system, await ci.heard('good'), 'audience=sts.amazonaws.com');
  elsewhere = aws.body['value'] as string;
  odd = await startedToken(ci, { id: 'odd', build: { ref: 'refs/heads/été "x"' } });
  finished = await startedToken(ci, { id: 'over' });
  await ci.finish('over');
  await eventually(async () => (await asProxy(finished)).status === 401, 'end of the build');
});
afterAll(async () => {
  backend.close();
  rmSync(place, { recursive: true });
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const verifyUrl = (path = '/api') => `${system.urlOf('jwks-publisher')}/acme/verify${path}`;
const asProxy = async (shown: string | null, { path = '/api', method = 'GET', headers = {} } = {}) =>
  await answerOf(
    await fetch(verifyUrl(path), {
      method,
      redirect: 'manual',
      headers: { ...(shown === null ? {} : { authorization: `Bearer ${shown}` }), ...headers },
    }),
  );

test('a good token is let through with its identity headers, whatever the method and the path of the request', async () => {
  for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    for (const path of ['/api', '/api/', '/api/some/path?q=1']) {
      const { status, headers, text } = await asProxy(token, { method, path });
      expect([status, text]).toEqual([200, '']);
      expect(headers.get('x-mayfly-subject')).toMatch(/^repo/);
      expect(headers.get('x-mayfly-ref')).toBe('refs/heads/main');
      expect(headers.get('x-mayfly-missing')).toBe('');
      expect(headers.get('cache-control')).toBe('no-store');
    }
  }
});

test('a token that is not good is 401, and one without what is required 403', async () => {
  for (const bad of [null, 'x', `${token}x`, elsewhere, finished]) {
    const { status, headers } = await asProxy(bad);
    expect(status).toBe(401);
    expect(headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(headers.has('x-mayfly-subject')).toBe(false);
  }
  expect((await asProxy(odd, { path: '/main' })).status).toBe(403);
  expect((await asProxy(token, { path: '/main' })).status).toBe(200);
  for (const path of ['', '/nobody', '/apix']) expect((await asProxy(token, { path })).status).toBe(404);
});

test('a claim that is no plain text cannot break out of its header, nor look like another', async () => {
  const { status, headers } = await asProxy(odd);

  expect(status).toBe(200);
  expect(headers.get('x-mayfly-ref')).toBe(`UTF-8''${encodeURIComponent('refs/heads/été "x"')}`);
});

/** What holds of every proxy: held to the same suite. */
async function contract(url: string, missing: string | undefined, unknown: number): Promise<void> {
  const get = async (authorization: string | null, headers = {}) => {
    behind = [];
    const all = { ...(authorization === null ? {} : { authorization }), ...headers };
    const response = await fetch(`${url}/x?y=1`, { method: 'POST', body: '{"a":1}', headers: all });
    return { status: response.status, text: await response.text() };
  };
  const lies = { 'x-mayfly-subject': 'admin', 'X-Mayfly-Ref': 'admin', 'x-mayfly-missing': 'admin' };

  expect(await get(`Bearer ${token}`, lies)).toEqual({ status: 200, text: 'behind' });
  expect(behind[0]?.['x-mayfly-subject']).toMatch(/^repo/);
  expect(behind[0]?.['x-mayfly-ref']).toBe('refs/heads/main');
  expect(behind[0]?.['x-mayfly-missing']).toBe(missing);
  expect(behind[0]).not.toHaveProperty('authorization');
  for (const bad of [null, 'Bearer x', `Bearer ${finished}`, `Bearer ${elsewhere}`, 'Basic eDp5']) {
    expect((await get(bad, lies)).status).toBe(401);
    expect(behind).toEqual([]);
  }
  await system.pause('redis');
  expect((await get(`Bearer ${token}`)).status).toBe(unknown);
  expect(behind).toEqual([]);
  await system.resume('redis');
  await eventually(async () => (await get(`Bearer ${token}`)).status === 200, 'answer after the pause');
}

/** The configuration that a guide shows, with the addresses of this test in it. */
function guide(name: string, fence: string, changes: [string | RegExp, string][]): string {
  const text = readFileSync(new URL(`../docs/verify-with-${name}.md`, import.meta.url), 'utf8');
  const block = new RegExp(`\`\`\`${fence}\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? '';
  const addMissing: [string | RegExp, string][] = changes;
  return addMissing.reduce((config, [from, to]) => config.replaceAll(from, to), block);
}

const backendAddress = () => `127.0.0.1:${(backend.address() as AddressInfo).port}`;

function certificateFile({ cert } = tls): string {
  const file = join(place, cert === tls.cert ? 'ours.pem' : 'another.pem');
  writeFileSync(file, cert);
  return file;
}

/** The whole configuration around the locations of the guide, which asks there, and believes the certificates in this file. */
function nginxConfig(port: number, url: string, trusted: string, changes: [string | RegExp, string][] = []) {
  const locations = guide('nginx', 'nginx', [
    ['https://id.example.com/acme/verify/api', url],
    ['http://backend', `http://${backendAddress()}`],
    ['/etc/ssl/certs/ca-certificates.crt', trusted],
    ...changes,
  ]);
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (one) => `${one}_temp_path DIR/${one};`,
  );
  return `daemon off; master_process off; pid DIR/pid; error_log stderr; events {}
http { access_log off; ${temp.join(' ')} server { listen 127.0.0.1:${port}; ${locations} } }`;
}

test(
  'nginx as its guide says lets through whom it should, and strips what callers claim',
  unless(nginx ? undefined : 'nginx cannot be had from Debian'),
  async () => {
    const port = await freePort();
    const config = nginxConfig(port, verifyUrl(), certificateFile(), [
      [
        /(auth_request_set \$mayfly_ref .*)/g,
        '$1\n    auth_request_set $mayfly_missing $upstream_http_x_mayfly_missing;',
      ],
      [/(proxy_set_header X-Mayfly-Ref .*)/g, '$1\n    proxy_set_header X-Mayfly-Missing $mayfly_missing;'],
    ]);

    await using _proxy = await startProxy('nginx', nginx ?? '', port, config);
    await contract(`http://127.0.0.1:${port}`, undefined, 500);
  },
);

test(
  'nginx as its guide says believes no one who answers in place of Mayfly without its certificate',
  unless(nginx ? undefined : 'nginx cannot be had from Debian'),
  async () => {
    const asked: (string | undefined)[] = [];
    const impostor = createHttpsServer(tls, (request, response) => {
      asked.push(request.headers.authorization);
      response.setHeader('x-mayfly-subject', 'repo:1').end();
    });
    await new Promise<void>((resolve) => impostor.listen(0, 'localhost', resolve));
    const url = `https://localhost:${(impostor.address() as AddressInfo).port}/acme/verify/api`;
    behind = [];
    const statusOf = async (trusted: string) => {
      const port = await freePort();
      await using _proxy = await startProxy('nginx', nginx ?? '', port, nginxConfig(port, url, trusted));
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`http://127.0.0.1:${port}/`, { headers })).status;
    };

    expect(await statusOf(certificateFile(testCertificate()))).toBe(500);
    expect([asked, behind]).toEqual([[], []]);
    // It is for the certificate alone that it was not believed.
    expect(await statusOf(certificateFile())).toBe(200);
    expect(behind.map((headers) => headers['x-mayfly-subject'])).toContain('repo:1');
    impostor.closeAllConnections();
    impostor.close();
  },
);

test(
  'Caddy as its guide says lets through whom it should, and strips what callers claim',
  unless(caddy ? undefined : 'Caddy cannot be had from Debian'),
  async () => {
    const port = await freePort();
    const site = guide('caddy', 'caddyfile', [
      ['api.example.com {', `http://127.0.0.1:${port} {`],
      ['https://id.example.com', system.urlOf('jwks-publisher')],
      ['backend:8080', backendAddress()],
      [
        'copy_headers X-Mayfly-Subject X-Mayfly-Ref',
        'copy_headers X-Mayfly-Subject X-Mayfly-Ref X-Mayfly-Missing',
      ],
    ]);

    await using _proxy = await startProxy(
      'caddy',
      caddy ?? '',
      port,
      `{ \n admin off\n auto_https off\n}\n${site}`,
    );
    await contract(`http://127.0.0.1:${port}`, '', 503);
  },
);
