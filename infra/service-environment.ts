import type { Deployment } from './deployment.ts';

/** The four services, in the order in which a build meets them last to first: who is needed starts first. */
export const SERVICES = ['key-manager', 'build-lifecycle', 'issuer', 'jwks-publisher'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** What a service's settings are made from. */
export type Place = {
  policyFile: string;
  /** Folder of the operator's own profiles, if there is one. */
  profilesDir?: string | undefined;
  natsUrl: string;
  redisUrl: string;
  /** Name of the Redis master, where `redisUrl` names Sentinels. */
  sentinelName?: string | undefined;
  baseUrl: string;
  requestUrl: string;
  host: string;
  port: number;
  opsHost: string;
  opsPort: number;
  cacheDir: string;
  /** Gives the path, as the service sees it, of a secret's file. */
  secretFile: Deployment['secretFile'];
};

/** Takes a service and where it runs; gives its settings: the environment that it is started with. */
export function serviceEnvironment(service: ServiceName, place: Place): Record<string, string> {
  const { secretFile, sentinelName } = place;
  const common = {
    MAYFLY_CONFIG: place.policyFile,
    NATS_URL: place.natsUrl,
    NATS_USER: service,
    NATS_PASSWORD_FILE: secretFile(`nats-${service}`),
    OPS_HOST: place.opsHost,
    OPS_PORT: String(place.opsPort),
  };
  const redis = {
    REDIS_URL: place.redisUrl,
    REDIS_USER: service,
    REDIS_PASSWORD_FILE: secretFile(`redis-${service}`),
    ...(sentinelName && {
      REDIS_SENTINEL_NAME: sentinelName,
      REDIS_SENTINEL_USER: 'services',
      REDIS_SENTINEL_PASSWORD_FILE: secretFile('sentinel-services'),
    }),
  };
  const profiles = place.profilesDir === undefined ? {} : { PROFILES_DIR: place.profilesDir };
  const http = { HOST: place.host, PORT: String(place.port) };
  const own: Record<ServiceName, Record<string, string>> = {
    'key-manager': {
      ...profiles,
      BASE_URL: place.baseUrl,
      KEY_ENCRYPTION_KEY_FILE: secretFile('key-encryption.key'),
      // No inspector: private keys are in this process's memory.
      NODE_OPTIONS: '--disable-sigusr1',
    },
    'build-lifecycle': { ...redis, ...http, SOURCES_FILE: secretFile('sources.json') },
    issuer: {
      ...redis,
      ...http,
      ...profiles,
      SOURCES_FILE: secretFile('sources.json'),
      BASE_URL: place.baseUrl,
      REQUEST_URL: place.requestUrl,
      REQUEST_TOKEN_KEY_FILE: secretFile('request-token.key'),
    },
    'jwks-publisher': {
      ...redis,
      ...http,
      BASE_URL: place.baseUrl,
      REQUEST_URL: place.requestUrl,
      RELYING_PARTIES_FILE: secretFile('relying-parties.json'),
      CACHE_DIR: place.cacheDir,
    },
  };
  return { ...common, ...own[service] };
}
