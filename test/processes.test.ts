import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SERVICES } from '@mayfly/infra/service-environment';
import { describe, expect, onTestFinished, test } from 'vitest';
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

/** A setting that is wrong, a secret that cannot be used, a faulty profile. */
const FAULTY = {
  'key-manager': ['OPS_PORT must be', 'KEY_ENCRYPTION_KEY_FILE must hold', 'mayfly.yaml:1: must have'],
  'build-lifecycle': ['OPS_PORT must be', 'SOURCES_FILE has no secret for acme'],
  issuer: [
    ...['OPS_PORT must be', 'SOURCES_FILE has no secret for acme', 'REQUEST_TOKEN_KEY_FILE must hold'],
    'mayfly.yaml:1: must have',
  ],
  'jwks-publisher': ['OPS_PORT must be', 'RELYING_PARTIES_FILE has no secret for api'],
};
const SHAPE = {
  what: 'of another shape',
  lifetime: 'soon',
  named: 'policy.yaml:4: sources.acme.lifetime must',
};
const WORK = {
  what: 'that cannot work',
  lifetime: '25h',
  named: 'policy.yaml:4: sources.acme.lifetime must be at most',
};

test.for([
  ...SERVICES.map((service) => ({ service, ...SHAPE })),
  // These alone look at what a policy of the right shape asks for.
  ...(['issuer', 'key-manager'] as const).map((service) => ({ service, ...WORK })),
])(
  '$service names faults of its environment, secrets, certificate, profiles and of a policy $what at once',
  ({ service, lifetime, named }) => {
    const dir = mkdtempSync(join(tmpdir(), 'mayfly-faults-'));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const file = (name: string, text: string) => {
      writeFileSync(join(dir, name), text);
      return join(dir, name);
    };
    const env = {
      MAYFLY_CONFIG: file(
        'policy.yaml',
        `sources:\n  acme:\n    audiences: [a]\n    lifetime: ${lifetime}\nrelying_parties: { api: { audiences: [a] } }\n`,
      ),
      PROFILES_DIR: dirname(file('mayfly.yaml', 'name: mayfly\n')),
      // Nobody is there: what is not named at start would wait for it.
      ...{ NATS_URL: 'nats://127.0.0.1:1', REDIS_URL: 'redis://127.0.0.1:1' },
      ...{ NATS_USER: 'x', REDIS_USER: 'x', OPS_PORT: 'many', PORT: '0', BASE_URL: 'http://localhost/' },
      ...{ NATS_PASSWORD_FILE: file('password', 'x'), REDIS_PASSWORD_FILE: file('password', 'x') },
      ...{ SOURCES_FILE: file('none.json', '{}'), RELYING_PARTIES_FILE: file('none.json', '{}') },
      ...{ REQUEST_TOKEN_KEY_FILE: file('key', 'short'), KEY_ENCRYPTION_KEY_FILE: file('key', 'short') },
      TLS_CERT_FILE: join(dir, 'nowhere'),
    };

    const { status, stderr } = spawnSync(process.execPath, [mainOf(service)], {
      encoding: 'utf8',
      env,
      timeout: 20_000,
    });

    expect(status).toBe(1);
    const lines = stderr.trim().split('\n');
    expect(lines).toHaveLength(1);
    for (const fault of [...FAULTY[service], named]) expect(lines[0]).toContain(fault);
    expect(lines[0]).not.toContain('names no profile that is there');
    if (service !== 'build-lifecycle') expect(lines[0]).toContain('BASE_URL must');
    if (service !== 'key-manager') {
      expect(lines[0]).toContain('TLS_CERT_FILE and TLS_KEY_FILE go together; TLS_CERT_FILE cannot be read');
    }
  },
);

test('two key-managers that start at the same moment on an empty bucket agree on one keyring', async () => {
  await using system = await testSystem({ replicas: 2 });
  await using ci = await connectCi(system);

  const activated = async () => {
    const logs = await Promise.all(['key-manager', 'key-manager-2'].map((name) => system.log(name)));
    return logs.join('').match(/"key activated"/g) ?? [];
  };
  await eventually(async () => (await activated()).length >= 4, 'keys that are active');
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
  expect(await activated()).toHaveLength(4);
});

describe('a service', () => {
  test('is alive, ready and measured on a port of its own, and stops cleanly on SIGTERM with what is in hand finished', {
    timeout: 180_000,
  }, async () => {
    // One of each on any engine: with a second the first has nothing in hand that somebody waits for.
    await using system = await testSystem({ replicas: 1 });
    await using ci = await connectCi(system);
    for (const service of SERVICES) {
      const [live, metrics] = await Promise.all(
        ['livez', 'metrics'].map((path) => fetch(`${system.opsUrlOf(service)}/${path}`)),
      );
      expect(live?.status).toBe(200);
      await eventually(async () => (await fetch(`${system.opsUrlOf(service)}/readyz`)).ok, 'readiness');
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

  test('that is told to stop says so while it finishes what is in hand', async () => {
    await using system = await testSystem({ replicas: 1 });
    const { port } = new URL(system.urlOf('jwks-publisher'));
    const slow = connect(Number(port), '127.0.0.1');
    slow.on('error', () => undefined);
    // The answer to `expect` says that the request is in hand.
    const head = ['POST /acme/introspect HTTP/1.1', 'host: x', 'content-length: 10', 'expect: 100-continue'];
    slow.write(`${head.join('\r\n')}\r\n\r\n`);
    expect(String((await once(slow, 'data'))[0])).toContain('100 Continue');
    slow.write('token');
    const readiness = () => fetch(`${system.opsUrlOf('jwks-publisher')}/readyz`).then(({ status }) => status);
    expect(await readiness()).toBe(200);

    const stopped = system.stop('jwks-publisher');
    stopped.catch(() => undefined);

    await eventually(async () => (await readiness()) === 503, 'word that it stops');
    slow.destroy();
    expect(await stopped).toBe(0);
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
    // Who connects and says nothing is not waited for, as little as without TLS.
    const silent = connect(Number(new URL(https).port), '127.0.0.1');
    silent.on('error', () => undefined).resume();
    const began = performance.now();
    await once(silent, 'close');
    expect(performance.now() - began).toBeLessThan(10_000);
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
