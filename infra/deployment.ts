import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Policy } from '@mayfly/contracts/policy';
import { type NatsPlace, natsConfig } from './nats/config.ts';
import { type RedisPlace, redisAcl, redisConfig } from './redis/config.ts';

/** What the two servers are told: addresses that they listen on and folders that they write to. */
export type Places = { nats: NatsPlace; redis: RedisPlace };

/** The users that exist beside the sources and the relying parties. */
export const NATS_USERS = [
  'bootstrap',
  'bootstrap-keys',
  'build-lifecycle',
  'issuer',
  'key-manager',
  'jwks-publisher',
  'operator',
] as const;
/** The users of Redis. */
export const REDIS_USERS = ['operator', 'build-lifecycle', 'issuer', 'jwks-publisher'] as const;

/** The files of a deployment: paths of secrets by name, and of the two servers' configuration. */
export type Deployment = {
  dir: string;
  natsConfigFile: string;
  redisConfigFile: string;
  redisAclFile: string;
  relyingPartiesFile: string;
  sourcesFile: string;
  /** Gives the path of every file of the deployment. */
  files(): string[];
  /** Gives the path of the file that holds a secret. */
  secretFile(name: string): string;
  /** Gives the secret itself. */
  secret(name: string): string;
};

/**
 * Makes, under `dir`, everything that a deployment of `policy` needs beside the policy: a secret for each user, source
 * and relying party, the keys of `issuer` and `key-manager`, and the configuration of NATS and Redis. Keeps every
 * secret that is there already. All of it is readable by the owner alone.
 */
export function makeDeployment(policy: Policy, dir: string, places: Places): Deployment {
  for (const folder of ['', 'secrets', 'nats', 'redis'])
    mkdirSync(join(dir, folder), { recursive: true, mode: 0o700 });
  const secretFile = (name: string) => join(dir, 'secrets', name);
  const known = new Map<string, string>();
  const secret = (name: string) => {
    const value = known.get(name) ?? keepSecret(secretFile(name));
    known.set(name, value);
    return value;
  };
  const natsConfigFile = join(dir, 'nats', 'nats.conf');
  const redisConfigFile = join(dir, 'redis', 'redis.conf');
  const redisAclFile = join(dir, 'redis', 'users.acl');
  const relyingPartiesFile = secretFile('relying-parties.json');

  const sources = Object.keys(policy.sources);
  const passwordInRedis = (user: string) => secret(`redis-${user}`);
  writePrivate(
    natsConfigFile,
    natsConfig(sources, (user) => secret(`nats-${user}`), places.nats),
  );
  writePrivate(redisAclFile, redisAcl(passwordInRedis, places.redis.replication !== undefined));
  writePrivate(redisConfigFile, redisConfig(places.redis, passwordInRedis));
  for (const key of ['request-token.key', 'key-encryption.key']) secret(key);
  const parties = Object.keys(policy.relying_parties ?? {});
  const credentials = Object.fromEntries(parties.map((party) => [party, secret(`relying-party-${party}`)]));
  writePrivate(relyingPartiesFile, `${JSON.stringify(credentials)}\n`);
  const sourcesFile = secretFile('sources.json');
  const ofSources = Object.fromEntries(sources.map((source) => [source, secret(`source-${source}`)]));
  writePrivate(sourcesFile, `${JSON.stringify(ofSources)}\n`);
  const configFiles = [natsConfigFile, redisConfigFile, redisAclFile];
  const secretNames = () => readdirSync(join(dir, 'secrets')).filter((name) => !name.endsWith('.new'));
  const files = () => [...configFiles, ...secretNames().map(secretFile)];
  return {
    dir,
    natsConfigFile,
    redisConfigFile,
    redisAclFile,
    relyingPartiesFile,
    sourcesFile,
    files,
    secretFile,
    secret,
  };
}

/** What is shorter was cut off as it was written, or can be guessed. */
const SHORTEST_SECRET = 32;

/** Gives the secret in `file`, made now if there is none: 256 random bits as 64 hexadecimal digits. */
function keepSecret(file: string): string {
  if (!existsSync(file)) writePrivate(file, `${randomBytes(32).toString('hex')}\n`);
  const secret = readFileSync(file, 'utf8').trim();
  if (secret.length >= SHORTEST_SECRET) return secret;
  throw new Error(
    `the secret in ${file} has ${secret.length} characters, and at least ${SHORTEST_SECRET} are needed: put back what it was, or remove the file for a new one`,
  );
}

/** Writes a file that its owner alone may read, whole or not at all; one that says the same already stays. */
export function writePrivate(file: string, text: string): void {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) {
    chmodSync(file, 0o600);
    return;
  }
  const draft = `${file}.new`;
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  chmodSync(draft, 0o600);
  renameSync(draft, file);
}
