import { buildReader } from '@mayfly/build-store/reader';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { openBus } from '@mayfly/service-kit/bus';
import { readEnv } from '@mayfly/service-kit/config';
import { createHttp } from '@mayfly/service-kit/http';
import { readPolicy } from '@mayfly/service-kit/policy';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { Config } from './config.ts';
import { basicAuthentication } from './credentials.ts';
import { discoveryDocument } from './documents.ts';
import { followKeySets } from './events.ts';
import { issuerRoutes, type ServedIssuer } from './http.ts';
import { keySets } from './key-sets.ts';
import { keySetCache } from './store.ts';

const COMMAND_TIMEOUT_MS = 150;

await run(
  'jwks-publisher',
  () => {
    const config = readEnv(Config, process.env);
    const policy = readPolicy(config.MAYFLY_CONFIG);
    const secrets = JSON.parse(config.RELYING_PARTIES_FILE) as Record<string, string>;
    const baseUrl = config.BASE_URL ?? policy.base_url;
    if (!baseUrl) throw new TypeError('settings: base_url in mayfly.yaml, or BASE_URL, must be set');
    const requestUrl = config.REQUEST_URL ?? policy.request_url ?? baseUrl;
    const authenticate = basicAuthentication(policy.relying_parties ?? {}, secrets);
    return { ...config, sources: Object.keys(policy.sources), baseUrl, requestUrl, authenticate };
  },
  async ({ sources, baseUrl, requestUrl, authenticate, ...config }, { log, resources, ops, stopping }) => {
    const sets = keySets(sources);
    const cache = keySetCache(config.CACHE_DIR);
    for (const source of sources) {
      const cached = cache.read(source);
      if (cached) await sets.accept(cached);
    }
    const builds = buildReader(openRedis(config, COMMAND_TIMEOUT_MS, resources, log));
    const issuers = sources.map((source): ServedIssuer => {
      const issuer = issuerUrl(baseUrl, source);
      const { pathname } = new URL(issuer);
      const keySet = () => sets.get(source);
      return {
        path: pathname,
        metadataPath: `/.well-known/oauth-authorization-server${pathname}`,
        discovery: discoveryDocument({ issuer, tokenEndpoint: `${requestUrl}/token` }),
        keySet: () => keySet()?.document,
        introspector: { source, issuer, keySet, builds, now: () => Math.floor(Date.now() / 1000) },
      };
    });
    ops.readyWhen('keys', () => sets.missing().length === 0);
    const http = createHttp(log, config);
    await issuerRoutes(http, issuers, authenticate);
    resources.defer(() => http.close());
    await http.listen({ host: config.HOST, port: config.PORT });

    const accept = async (keySet: PublishedKeySet) => {
      if (!(await sets.accept(keySet))) return;
      cache.write(keySet);
      log.info(
        { source: keySet.source, version: keySet.version, kids: keySet.keys.map(({ kid }) => kid) },
        'key set served',
      );
    };
    // Not waited for: without NATS the documents are served from the cache.
    openBus(config, 'jwks-publisher', resources, log)
      .then((bus) => followKeySets(bus, sources, accept, resources, log))
      .catch((error: unknown) => {
        if (!stopping.aborted) log.error({ err: error }, 'nats cannot be used');
      });
  },
);
