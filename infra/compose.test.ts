import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { configDigest } from './config-digest.ts';
import { containerEnvironment, PORTS, secretsIn } from './container-places.ts';
import { copyProfiles } from './copy-profiles.ts';
import { imageOf } from './images.ts';
import { SERVICES } from './service-environment.ts';

type Service = {
  image: string;
  command?: string[];
  ports?: string[];
  secrets?: string[];
  volumes?: string[];
  user?: string;
  read_only?: boolean;
  labels?: Record<string, string>;
};
type Compose = {
  services: Record<string, Service> & { gateway: Service };
  secrets: Record<string, { file: string }>;
};

const { services, secrets } = parse(readFileSync(new URL('compose.yaml', import.meta.url), 'utf8'), {
  merge: true,
}) as Compose;

const addresses = { baseUrl: 'https://a.example', requestUrl: 'https://b.example' };

test.for(SERVICES)(
  'compose mounts the profiles of the operator where the settings of %s name them',
  (name) => {
    const { PROFILES_DIR: named = '' } = containerEnvironment(name, addresses, true);

    const mounted = (services[name]?.volumes ?? []).filter((volume) => volume.includes('/profiles'));

    expect(mounted).toEqual(named === '' ? [] : [`\${MAYFLY_DIR}/profiles:${named}:ro`]);
  },
);

test('issuer and key-manager are told where the profiles of the operator are, where there are some', () => {
  const told = (has: boolean) =>
    SERVICES.filter((name) => 'PROFILES_DIR' in containerEnvironment(name, addresses, has));

  expect(told(true)).toEqual(['key-manager', 'issuer']);
  expect(told(false)).toEqual([]);
});

test('compose has the profiles that the operator has now, and none that were there before', () => {
  const [own, to] = ['own', 'to'].map((name) => mkdtempSync(join(tmpdir(), `mayfly-${name}-`))) as [
    string,
    string,
  ];
  for (const name of ['ours.yaml', 'notes.txt']) writeFileSync(join(own, name), name);
  writeFileSync(join(to, 'old.yaml'), '');

  const paths = copyProfiles(own, to);

  expect(paths).toEqual([to, join(to, 'ours.yaml')]);
  expect(readdirSync(to)).toEqual(['ours.yaml']);
  expect(copyProfiles(undefined, to)).toEqual([to]);
  for (const dir of [own, to]) rmSync(dir, { recursive: true });
});

test('every container is made anew where anything changed that is mounted', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-digest-'));
  const [one, other] = ['one', 'other'].map((name) => join(dir, name)) as [string, string];
  writeFileSync(one, 'a');
  writeFileSync(other, 'b');
  const before = configDigest([dir, one, other]);
  expect(configDigest([other, one])).toBe(before);
  writeFileSync(other, 'c');
  expect(configDigest([dir, one, other])).not.toBe(before);
  rmSync(dir, { recursive: true });

  for (const { labels } of Object.values(services))
    expect(labels?.['dev.mayfly.config']).toBe('$' + '{MAYFLY_DIGEST}');
});

test.for(SERVICES)(
  'compose gives %s its image, and the secrets that its settings name and no other',
  (name) => {
    const named = secretsIn(containerEnvironment(name, addresses, true)).sort((a, b) => (a < b ? -1 : 1));

    const given = (services[name]?.secrets ?? []).toSorted((a, b) => (a < b ? -1 : 1));

    expect(given).toEqual(named);
    expect(services[name]?.image).toBe(imageOf(name));
    for (const secret of given) expect(secrets[secret]?.file).toBe(`\${MAYFLY_DIR}/secrets/${secret}`);
  },
);

test('every service with a public listener is reached from outside, by a port that only the gateway has', () => {
  const command = services.gateway.command ?? [];
  const ports = services.gateway.ports ?? [];
  const routes = command.filter((one) => one.includes('=')).map((one) => one.split(/[=:]/));

  expect(routes.map(([, host]) => host)).toEqual(['jwks-publisher', 'issuer', 'build-lifecycle']);
  expect(routes.every(([, , port]) => port === String(PORTS.service))).toBe(true);
  expect(ports.map((one) => one.split(':').at(-1))).toEqual(routes.map(([port]) => port));
  expect(SERVICES.filter((name) => services[name]?.ports)).toEqual([]);
});

test('compose runs nothing as root, and everything read-only', () => {
  for (const { user, read_only } of Object.values(services)) {
    expect(user).toMatch(/^\$\{MAYFLY_USER/);
    expect(read_only).toBe(true);
  }
});
