import { readFileSync } from 'node:fs';
import { checker } from '@mayfly/contracts/check';
import Type, { type TObject, type TSchema } from 'typebox';

/** Settings that every service has. */
export const COMMON_SETTINGS = {
  MAYFLY_CONFIG: Type.String({ minLength: 1, description: 'Path of mayfly.yaml.' }),
  NATS_URL: Type.String({
    pattern: '^(nats://[^,]+(,nats://[^,]+)*|tls://[^,]+(,tls://[^,]+)*)$',
    description: 'NATS servers, separated by commas, each `nats://`, or each `tls://`, which insists on TLS.',
  }),
  NATS_USER: Type.String({ minLength: 1, description: 'NATS user.' }),
  NATS_PASSWORD_FILE: secretFile('File with the password of NATS_USER.'),
  OPS_HOST: Type.String({ default: '127.0.0.1', description: 'Where /livez, /readyz and /metrics listen.' }),
  OPS_PORT: port('Port of /livez, /readyz and /metrics.'),
  LOG_LEVEL: Type.String({
    pattern: '^(debug|info|warn|error)$',
    default: 'info',
    description: 'Lowest level logged.',
  }),
};

/** Settings of a service that reads or writes builds. */
export const REDIS_SETTINGS = {
  REDIS_URL: Type.String({
    pattern: '^rediss?://',
    description: 'Redis, or its Sentinels separated by commas.',
  }),
  REDIS_SENTINEL_NAME: Type.Optional(
    Type.String({ description: 'Name of the master, if REDIS_URL names Sentinels.' }),
  ),
  REDIS_SENTINEL_USER: Type.Optional(
    Type.String({ minLength: 1, description: 'User of the Sentinels, if they have users.' }),
  ),
  REDIS_SENTINEL_PASSWORD_FILE: Type.Optional(secretFile('File with the password of REDIS_SENTINEL_USER.')),
  REDIS_USER: Type.String({ minLength: 1, description: 'Redis user.' }),
  REDIS_PASSWORD_FILE: secretFile('File with the password of REDIS_USER.'),
};

/** Settings of a service with a public listener. */
export const HTTP_SETTINGS = {
  HOST: Type.String({ default: '127.0.0.1', description: 'Address of the public listener.' }),
  PORT: port('Port of the public listener.'),
  TLS_CERT_FILE: Type.Optional(Type.String({ description: 'PEM certificate chain: serve https.' })),
  TLS_KEY_FILE: Type.Optional(Type.String({ description: 'PEM private key of TLS_CERT_FILE.' })),
};

/** A port number, from text. */
export function port(description: string) {
  return Type.Integer({ minimum: 0, maximum: 65535, description });
}

/** A path whose contents are the secret; read at start, first line trimmed. */
export function secretFile(description: string) {
  return Type.String({ minLength: 1, description, 'x-secret': true });
}

/**
 * Takes a schema and the environment; gives the values that are there, faulty or not, with defaults, and with secrets under
 * `X_FILE` replaced by their contents, without those that cannot be read; and every fault, which names no value.
 */
export function lookAtEnv(
  schema: TObject,
  env: Record<string, string | undefined>,
): { values: Record<string, unknown>; faults: string[] } {
  const values: Record<string, unknown> = {};
  const unreadable = new Map<string, string>();
  for (const [name, property] of Object.entries(schema.properties as Record<string, TSchema>)) {
    const value = settingOf(property, env[name]);
    if (value === undefined) continue;
    values[name] = value;
    if ('x-secret' in property && typeof value === 'string') {
      const secret = readSecret(value);
      if ('fault' in secret) unreadable.set(name, `${name} ${secret.fault}`);
      else values[name] = secret.text;
    }
  }
  const faults = checker(schema)
    .faults(values)
    .map(({ at, message }) => (at ? `${at.slice(1)} ${message}` : message));
  const known = Object.entries(values).filter(([name]) => !unreadable.has(name));
  return { values: Object.fromEntries(known), faults: [...faults, ...unreadable.values()] };
}

function readSecret(path: string): { text: string } | { fault: string } {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return text === '' ? { fault: 'names an empty file' } : { text };
  } catch (error) {
    return { fault: `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'error'})` };
  }
}

function settingOf(property: TSchema, text: string | undefined): unknown {
  const { type, default: fallback } = property as { type?: string; default?: unknown };
  if (text === undefined || text === '') return fallback;
  if ((type === 'integer' || type === 'number') && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  return text;
}

/** Shortest secret by which somebody may be known, characters: that of a source may be guessed as often as one likes. */
const LEAST_SECRET = 16;

/**
 * Takes the name of a setting, its contents (a JSON object, name to secret) and the names that need one; gives the
 * secrets. Throws a TypeError that names every fault.
 */
export function readSecrets(setting: string, text: string, names: readonly string[]): Record<string, string> {
  let secrets: unknown;
  try {
    secrets = JSON.parse(text);
  } catch {
    throw new TypeError(`settings: ${setting} must hold a JSON object`);
  }
  const known = new Map(Object.entries(secrets ?? {}));
  const missing = names.filter((name) => typeof known.get(name) !== 'string' || known.get(name) === '');
  if (missing.length > 0) throw new TypeError(`settings: ${setting} has no secret for ${missing.join(', ')}`);
  const short = names.filter((name) => String(known.get(name)).length < LEAST_SECRET);
  if (short.length > 0)
    throw new TypeError(
      `settings: ${setting} has secrets of fewer than ${LEAST_SECRET} characters, which may be guessed: ${short.join(', ')}`,
    );
  return Object.fromEntries(names.map((name) => [name, known.get(name) as string]));
}
