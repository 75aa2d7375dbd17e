import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { afterAll, expect, test } from 'vitest';
import { port, readSecrets, secretFile } from './config.ts';
import { readPolicy } from './policy.ts';
import { outlinePolicy } from './policy-outline.ts';
import { readSettings } from './settings.ts';
import { readTls } from './tls.ts';

const dir = mkdtempSync(join(tmpdir(), 'mayfly-settings-'));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, text: string) => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};
const Config = Type.Object({
  MAYFLY_CONFIG: Type.String({ minLength: 1 }),
  PORT: port('A port.'),
  SOURCES_FILE: secretFile('Secrets.'),
  TLS_CERT_FILE: Type.Optional(Type.String()),
  TLS_KEY_FILE: Type.Optional(Type.String()),
});
const read = (env: Record<string, string>) =>
  readSettings(Config, env, (config, faults) => {
    const policy = faults.collect(readPolicy, config.MAYFLY_CONFIG);
    const { sources } = outlinePolicy(config.MAYFLY_CONFIG);
    const names = Object.keys(sources);
    return {
      policy,
      secrets: faults.collect(readSecrets, 'SOURCES_FILE', config.SOURCES_FILE, names),
      tls: faults.collect(readTls, config),
    };
  });

test('settings, and what is read with them, are one frozen object', () => {
  const settings = read({
    MAYFLY_CONFIG: file('good.yaml', 'sources: { acme: { audiences: [a] } }'),
    PORT: '80',
    SOURCES_FILE: file('secrets.json', '{"acme":"a secret of acme"}'),
  });

  expect(settings).toMatchObject({ PORT: 80, secrets: { acme: 'a secret of acme' }, tls: {} });
  expect(Object.isFrozen(settings)).toBe(true);
});

test('faults of the environment, of secrets, of a certificate and of the policy are named in one line', () => {
  const faulty = () =>
    read({
      MAYFLY_CONFIG: file('bad.yaml', 'sources:\n  acme: { audiences: [] }\n'),
      PORT: 'many',
      SOURCES_FILE: file('none.json', '{}'),
      TLS_KEY_FILE: join(dir, 'nowhere'),
    });

  expect(faulty).toThrow(
    /^settings: PORT must be [^;]*; SOURCES_FILE has no secret for acme; TLS_CERT_FILE and TLS_KEY_FILE go together; TLS_KEY_FILE cannot be read \(ENOENT\); \S*bad.yaml:2: sources.acme.audiences/,
  );
});

test('what hangs on something faulty is no fault of its own', () => {
  const faulty = () => read({ MAYFLY_CONFIG: join(dir, 'nowhere'), SOURCES_FILE: join(dir, 'nowhere') });

  expect(faulty).toThrow(
    /^settings: must have required properties PORT; SOURCES_FILE cannot be read \(ENOENT\); MAYFLY_CONFIG cannot be read \(ENOENT\)$/,
  );
});

test('a certificate and a key are looked at before anything listens', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = file('key.pem', String(privateKey.export({ type: 'pkcs8', format: 'pem' })));
  const text = file('text', 'neither');

  expect(() => readTls({ TLS_CERT_FILE: text, TLS_KEY_FILE: text })).toThrow(
    'settings: TLS_CERT_FILE holds no PEM certificate; TLS_KEY_FILE holds no PEM private key',
  );
  expect(() => readTls({ TLS_CERT_FILE: file('cert.pem', CERTIFICATE), TLS_KEY_FILE: key })).toThrow(
    'settings: TLS_KEY_FILE is not the key of TLS_CERT_FILE',
  );
});

test.for(['', 'a: [', '- 1', 'sources: 3', 'sources: { a: 1, b: { profile: ../x } }'])(
  'the outline of "%s" names no profile, and says nothing of what is wrong',
  (text) => {
    const { sources } = outlinePolicy(file('odd.yaml', text));

    for (const source of Object.values(sources)) expect(source).toEqual({});
  },
);

/** Of another key; never used for TLS, so that its dates do not matter. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUKjMVIE4coZg+dwN9GqF5WX1CjKcwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyMDEwMTcxMloXDTI2MTEyMTEw
MTcxMlowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAESVuDn3BecbnbNpGZwCIqR6io+DtNv9IViE1OsWUt2YnbIf7DNBWD3BdA
sjpqSC1vMLuopiqgW1tmHwCCltZyS6NTMFEwHQYDVR0OBBYEFFLtjamQwUzZ5ia8
0hXRRK68FrFfMB8GA1UdIwQYMBaAFFLtjamQwUzZ5ia80hXRRK68FrFfMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAKuCEOTCvh1LlbOsbytZQr0C
22YWT2Uzz0GqCkdpnSPpAiBpWlaIcFAtOdx8Ho+x3wCZ3jqJb0kHHXybAPvX9VuV
GA==
-----END CERTIFICATE-----`;
