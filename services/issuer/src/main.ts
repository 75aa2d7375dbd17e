import { randomBytes } from 'node:crypto';
import { buildReader } from '@mayfly/build-store/reader';
import { POLICY_DEFAULTS } from '@mayfly/contracts/policy';
import { readProfile } from '@mayfly/profiles/read';
import { openBus } from '@mayfly/service-kit/bus';
import { readEnv } from '@mayfly/service-kit/config';
import { createHttp } from '@mayfly/service-kit/http';
import { readPolicy } from '@mayfly/service-kit/policy';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { Counter } from 'prom-client';
import { Config } from './config.ts';
import { answerGrants, listenToLifecycle } from './events.ts';
import { tokenRoutes } from './http.ts';
import type { Issuer } from './issue.ts';
import { recorder } from './log.ts';
import { readRequestTokenKeys } from './request-token-keys.ts';
import { remoteSigner } from './signer.ts';

const COMMAND_TIMEOUT_MS = 300;

await run(
  'issuer',
  () => {
    const config = readEnv(Config, process.env);
    const policy = readPolicy(config.MAYFLY_CONFIG);
    const requestUrl = config.REQUEST_URL ?? policy.request_url ?? policy.base_url;
    if (!requestUrl)
      throw new TypeError('settings: request_url or base_url in mayfly.yaml, or REQUEST_URL, must be set');
    return {
      ...config,
      policy,
      requestUrl,
      requestTokenKeys: readRequestTokenKeys(config.REQUEST_TOKEN_KEY_FILE),
    };
  },
  async ({ policy, requestUrl, requestTokenKeys, ...config }, { log, resources, ops }) => {
    const sources: Issuer['sources'] = new Map(
      await Promise.all(
        Object.entries(policy.sources).map(async ([name, source]) => {
          const profile = await readProfile(config.PROFILES_DIR, source.profile ?? POLICY_DEFAULTS.profile);
          return [name, { policy: source, profile }] as const;
        }),
      ),
    );
    const counter = new Counter({
      name: 'mayfly_tokens_issued_total',
      help: 'ID tokens issued, by how they were asked for.',
      labelNames: ['by'],
      registers: [ops.metrics],
    });
    const builds = buildReader(openRedis(config, COMMAND_TIMEOUT_MS, resources, log));
    const bus = await openBus(config, 'issuer', resources, log);
    ops.readyWhen('nats', bus.isConnected);
    const issuer = {
      builds,
      sources,
      signer: remoteSigner(bus.nats),
      now: () => Math.floor(Date.now() / 1000),
      newId: () => randomBytes(16).toString('base64url'),
    };
    const granter = {
      ...issuer,
      // Clients written for GitHub append `&audience=…`, so that the address has to hold a `?` already.
      requestUrl: `${requestUrl}/token?api-version=1`,
      requestTokenKey: requestTokenKeys[0] as Uint8Array,
    };
    const edge = { bus, granter, record: recorder(log, counter) };
    answerGrants(edge, sources.keys(), resources, log);

    const http = createHttp(log, config);
    await tokenRoutes(http, { issuer, requestTokenKeys, counter, log });
    resources.defer(() => http.close());
    await http.listen({ host: config.HOST, port: config.PORT });
    await listenToLifecycle(edge, resources, log);
  },
);
