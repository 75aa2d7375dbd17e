import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { containerEnvironment, secretsIn } from './container-places.ts';
import { imageOf } from './images.ts';
import { SERVICES } from './service-environment.ts';

type Compose = {
  services: Record<string, { image: string; secrets?: string[]; user?: string; read_only?: boolean }>;
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

test('compose runs nothing as root, and everything read-only', () => {
  for (const { user, read_only } of Object.values(services)) {
    expect(user).toMatch(/^\$\{MAYFLY_USER/);
    expect(read_only).toBe(true);
  }
});
