import { findBaseUrl } from '@mayfly/service-kit/base-url';
import { openBus } from '@mayfly/service-kit/bus';
import { readSecrets } from '@mayfly/service-kit/config';
import { createHttp } from '@mayfly/service-kit/http';
import { readPolicy } from '@mayfly/service-kit/policy';
import { outlinePolicy } from '@mayfly/service-kit/policy-outline';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { readSettings } from '@mayfly/service-kit/settings';
import { readTls } from '@mayfly/service-kit/tls';
import { callers } from './callers.ts';
import { Config } from './config.ts';
import { type Confirmations, confirmations } from './confirmations.ts';
import { basicAuthentication } from './credentials.ts';
import { followKeySets } from './events.ts';
import { keepFeed } from './feed-events.ts';
import { feedPlaces } from './feed-places.ts';
import { issuerRoutes } from './http.ts';
import { keepKeySets } from './keep-key-sets.ts';
import { type Metrics, publisherMetrics } from './metrics.ts';
import { servedIssuers } from './served-issuers.ts';

const COMMAND_TIMEOUT_MS = 110;
const MAX_FEEDS = 2000;

await run(
  'jwks-publisher',
  () => {
    return readSettings(Config, process.env, (config, faults) => {
      const policy = faults.collect(readPolicy, config.MAYFLY_CONFIG);
      const { relying_parties: parties = {} } = policy ?? outlinePolicy(config.MAYFLY_CONFIG);
      const secrets = faults.collect(
        readSecrets,
        'RELYING_PARTIES_FILE',
        config.RELYING_PARTIES_FILE,
        Object.keys(parties),
      );
      const baseUrl = faults.collect(findBaseUrl, config, policy);
      const requestUrl = config.REQUEST_URL ?? policy?.request_url ?? baseUrl;
      const authenticate = faults.collect(
        basicAuthentication,
        policy && (policy.relying_parties ?? {}),
        secrets,
      );
      return { policy, baseUrl, requestUrl, authenticate, tls: faults.collect(readTls, config) };
    });
  },
  async (
    { policy, baseUrl, requestUrl, authenticate, tls, ...config },
    { log, resources, ops, stopping },
  ) => {
    const sources = Object.keys(policy.sources);
    const { sets, accept } = keepKeySets(policy, config.CACHE_DIR, log);
    ops.readyWhen('keys', () => sets.missing().length === 0);

    const link = openRedis(config, COMMAND_TIMEOUT_MS, resources, log);
    const bus = openBus(config, 'jwks-publisher', resources, log);
    const metrics = publisherMetrics(ops.metrics);
    const feed = keepFeed(bus, link, policy, resources, log);
    const urls = { baseUrl, requestUrl };
    const issuers = servedIssuers(policy, urls, { sets, link, bus, resources, log, metrics });

    const http = createHttp(log, { tls, trustedProxies: config.TRUSTED_PROXIES });
    const places = feedPlaces(MAX_FEEDS);
    metrics.hearing(places.taken);
    keepLooking(
      confirmations(sources, sets, log, () => performance.now()),
      metrics,
      resources,
    );
    const feeds = { feed, places, metrics };
    issuerRoutes(http, issuers, { callers: callers(authenticate, metrics), feeds, metrics });
    resources.defer(() => http.close());
    resources.defer(() => places.close());
    await http.listen({ host: config.HOST, port: config.PORT });

    // Not waited for: without NATS the documents are served from the cache.
    bus
      .then((opened) => followKeySets(opened, sources, accept, resources, log))
      .catch((error: unknown) => {
        if (!stopping.aborted) log.error({ err: error }, 'nats cannot be used');
      });
  },
);

function keepLooking(
  { look, unconfirmed }: Confirmations,
  metrics: Metrics,
  resources: AsyncDisposableStack,
): void {
  metrics.unconfirmed(unconfirmed);
  const timer = setInterval(look, 1000);
  resources.defer(() => clearInterval(timer));
}
