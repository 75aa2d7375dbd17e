import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SERVICES } from '@mayfly/infra/service-environment';
import { describe, expect, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { requestToken } from './relying-party.ts';
import { testSystem } from './system.ts';

const mainOf = (service: string) =>
  fileURLToPath(new URL(`../services/${service}/src/main.ts`, import.meta.url));

test.for(SERVICES)('%s names every fault of its settings in one line and does not start', (service) => {
  const { status, stderr } = spawnSync(process.execPath, [mainOf(service)], {
    encoding: 'utf8',
    env: { NATS_URL: 'http://x', OPS_PORT: 'many', NATS_PASSWORD_FILE: '/nowhere' },
  });

  expect(status).toBe(1);
  const lines = stderr.trim().split('\n');
  expect(lines).toHaveLength(1);
  for (const fault of [
    'MAYFLY_CONFIG',
    'NATS_USER',
    'NATS_URL must match',
    'OPS_PORT must be',
    'NATS_PASSWORD_FILE cannot be read',
  ]) {
    expect(lines[0]).toContain(fault);
  }
});

test('two key-managers that start at the same moment on an empty bucket agree on one keyring', async () => {
  await using system = await testSystem({ replicas: 2 });
  await using ci = await connectCi(system);

  const logs = await Promise.all(['key-manager', 'key-manager-2'].map((name) => system.log(name)));
  expect(logs.join('').match(/"key activated"/g)).toHaveLength(4);
  for (let index = 0; index < 20; index++) {
    await ci.start({ id: `shared-${index}` });
    const grant = await ci.heard(`shared-${index}`);
    expect((await requestToken(system, grant, 'audience=sts.amazonaws.com')).status).toBe(200);
  }
  const sets = await Promise.all(
    ['jwks-publisher', 'jwks-publisher-2'].map(async (name) =>
      (await fetch(`${system.urlOf(name)}/acme/jwks`)).json(),
    ),
  );
  expect(sets[0]).toEqual(sets[1]);
});

describe('a service', () => {
  test('is alive, ready and measured on a port of its own, and stops cleanly on SIGTERM with what is in hand finished', async () => {
    await using system = await testSystem({ replicas: 1 });
    await using ci = await connectCi(system);
    for (const service of SERVICES) {
      const [live, ready, metrics] = await Promise.all(
        ['livez', 'readyz', 'metrics'].map((path) => fetch(`${system.opsUrlOf(service)}/${path}`)),
      );
      expect([live?.status, ready?.status]).toEqual([200, 200]);
      expect(await metrics?.text()).toContain('process_cpu_seconds_total');
    }
    const ids = Array.from({ length: 100 }, (_, index) => `busy-${index}`);
    await Promise.all(ids.map((id) => ci.start({ id })));

    for (const service of ['build-lifecycle', 'issuer', 'key-manager', 'jwks-publisher']) {
      expect(await system.stop(service)).toBe(0);
    }
    for (const service of SERVICES) await system.start(service);
    for (const id of ids) await eventually(() => ci.askGrant(id).catch(() => undefined), `grant of ${id}`);
  });

  test('logs no token, no request token and no secret', async () => {
    await using system = await testSystem({
      replicas: 1,
      environment: Object.fromEntries(SERVICES.map((name) => [name, { LOG_LEVEL: 'debug' }])),
    });
    await using ci = await connectCi(system);
    await ci.start({ id: 'quiet' });
    const grant = await ci.heard('quiet');
    const token = grant.data.id_tokens['API_TOKEN'] as string;
    await requestToken(system, grant, 'audience=sts.amazonaws.com');
    await requestToken(system, grant, 'audience=evil');
    await ci.publish('ci.acme.build.started', token);
    await ci.finish('quiet');
    await eventually(
      async () => (await requestToken(system, grant, 'audience=sts.amazonaws.com')).status === 401,
      '401',
    );

    const secrets = [
      ...token.split('.'),
      grant.data.id_token_request_token,
      system.secret('nats-issuer'),
      system.secret('redis-issuer'),
    ];
    for (const service of SERVICES) {
      const log = await system.log(service);
      expect(log.length).toBeGreaterThan(0);
      for (const secret of secrets) expect(log).not.toContain(secret);
    }
  });
});

test('the public listeners speak https where they are given a certificate', async () => {
  const { certificate, key, dispose } = makeCertificate();
  try {
    const tls = { TLS_CERT_FILE: certificate, TLS_KEY_FILE: key };
    await using system = await testSystem({
      replicas: 1,
      environment: { 'jwks-publisher': tls, issuer: tls },
    });

    await expect(fetch(`${system.urlOf('jwks-publisher')}/acme/jwks`)).rejects.toThrow();
    const https = system.urlOf('jwks-publisher').replace('http:', 'https:');
    expect(await statusOverTls(`${https}/acme/jwks`, certificate)).toBe(200);
  } finally {
    dispose();
  }
});

function makeCertificate() {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-tls-'));
  const [certificate, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')];
  const { status, stderr } = spawnSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1',
      '-keyout',
      key,
      '-out',
      certificate,
    ],
    { encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(stderr);
  return { certificate, key, dispose: () => rmSync(dir, { recursive: true }) };
}

function statusOverTls(url: string, certificate: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get(url, { ca: readFileSync(certificate) }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).on('error', reject);
  });
}
