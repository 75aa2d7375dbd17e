import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { containerEnvironment, PORTS, secretsIn } from './container-places.ts';
import { imageOf } from './images.ts';
import { SERVICES } from './service-environment.ts';

type Service = {
  image: string;
  command?: string[];
  ports?: string[];
  secrets?: string[];
  user?: string;
  read_only?: boolean;
};
type Compose = {
  services: Record<string, Service> & { gateway: Service };
  secrets: Record<string, { file: string }>;
};

const { services, secrets } = parse(readFileSync(new URL('compose.yaml', import.meta.url), 'utf8'), {
  merge: true,
}) as Compose;

test.for(SERVICES)(
  'compose gives %s its image, and the secrets that its settings name and no other',
  (name) => {
    const addresses = { baseUrl: 'https://a.example', requestUrl: 'https://b.example' };
    const named = secretsIn(containerEnvironment(name, addresses)).sort((a, b) => (a < b ? -1 : 1));

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
