import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { Provider } from 'oidc-provider';
import { CLIENT, RESOURCES } from './peer.ts';
import { redisAdapter } from './peer-redis.ts';
import { answerJobs } from './program.ts';

/** Where Redis is, and as whom to speak to it. */
export type PeerJob = { redisPort: number; username: string; password: string };

const LIFETIME_SECONDS = 300;

const opened: { close(): void }[] = [];

/** Serves oidc-provider as its own documents set it up, with records in Redis. */
async function serve({ redisPort, username, password }: PeerJob): Promise<{ port: number }> {
  // It may batch what it sends to Redis, as we do.
  const redis = new Redis(redisPort, '127.0.0.1', { username, password, enableAutoPipelining: true });
  const Adapter = redisAdapter(redis);
  const records = new Adapter('ClientCredentials');
  // As long as ours: no side opens connections again in its rounds.
  const server = createServer({ keepAliveTimeout: 30_000 }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const provider = new Provider(`http://127.0.0.1:${port}`, {
    adapter: Adapter,
    clients: [CLIENT_METADATA],
    jwks: { keys: [privateJwk('RS256'), privateJwk('ES256')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => RESOURCES.opaque,
        getResourceServerInfo: (_context: unknown, resource: string) => resourceServer(resource),
      },
    },
    ttl: { ClientCredentials: LIFETIME_SECONDS },
    formats: {
      customizers: {
        // It keeps no JWT by itself: recorded is what it would keep of an opaque token, before it is given out.
        jwt: async (_context: unknown, _token: unknown, { payload }: { payload: { jti: string } }) =>
          records.upsert(payload.jti, payload, LIFETIME_SECONDS),
      },
    },
  });
  server.on('request', provider.callback());
  opened.push(server, { close: () => redis.disconnect() }, { close: () => server.closeAllConnections() });
  return { port };
}

const CLIENT_METADATA = {
  client_id: CLIENT.id,
  client_secret: CLIENT.secret,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  token_endpoint_auth_method: 'client_secret_basic',
};

function resourceServer(resource: string) {
  const alg = resource === RESOURCES.RS256 ? 'RS256' : 'ES256';
  const common = { scope: 'api', audience: resource, accessTokenTTL: LIFETIME_SECONDS };
  return resource === RESOURCES.opaque
    ? { ...common, accessTokenFormat: 'opaque' }
    : { ...common, accessTokenFormat: 'jwt', jwt: { sign: { alg } } };
}

function privateJwk(alg: 'RS256' | 'ES256'): object {
  const { privateKey }: { privateKey: KeyObject } =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: alg };
}

await answerJobs<PeerJob>(serve, () => {
  for (const one of opened) one.close();
});
