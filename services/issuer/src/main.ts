import { type KeyObject, randomUUID } from 'node:crypto';
import { buildReader } from '@mayfly/build-store/reader';
import { POLICY_DEFAULTS } from '@mayfly/contracts/policy';
import { REQUEST_QUERY, withOneQuery } from '@mayfly/contracts/request-url';
import { watchedNames } from '@mayfly/profiles/names';
import { policyFaults } from '@mayfly/profiles/policy-faults';
import type { Profile } from '@mayfly/profiles/profile';
import { readProfiles } from '@mayfly/profiles/read';
import { basicAuthentication } from '@mayfly/service-kit/basic-auth';
import { openBus } from '@mayfly/service-kit/bus';
import { readEnv, readSecrets } from '@mayfly/service-kit/config';
import { createHttp } from '@mayfly/service-kit/http';
import { readPolicy, refuseFaults } from '@mayfly/service-kit/policy';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { jetstreamManager } from '@nats-io/jetstream';
import { budget } from './budget.ts';
import { Config } from './config.ts';
import { answerGrants, listenToLifecycle } from './events.ts';
import { issuerRoutes } from './http.ts';
import type { Issuer } from './issue.ts';
import { leakReporter } from './leak.ts';
import { issueLog } from './log.ts';
import { answerNameCommands } from './name-commands.ts';
import { nameStore } from './name-store.ts';
import { nameKeeper } from './names.ts';
import { readRequestTokenKeys } from './request-token-keys.ts';
import { remoteSigner } from './signer.ts';

const COMMAND_TIMEOUT_MS = 300;

await run(
  'issuer',
  () => {
    const config = readEnv(Config, process.env);
    const policy = readPolicy(config.MAYFLY_CONFIG);
    const profiles = readProfiles(config.PROFILES_DIR, policy);
    refuseFaults(config.MAYFLY_CONFIG, policyFaults(policy, profiles));
    const requestUrl = config.REQUEST_URL ?? policy.request_url ?? policy.base_url;
    if (!requestUrl)
      throw new TypeError('settings: request_url or base_url in mayfly.yaml, or REQUEST_URL, must be set');
    const baseUrl = config.BASE_URL ?? policy.base_url;
    if (!baseUrl) throw new TypeError('settings: base_url in mayfly.yaml, or BASE_URL, must be set');
    const secrets = readSecrets('SOURCES_FILE', config.SOURCES_FILE, Object.keys(policy.sources));
    return {
      ...config,
      policy,
      profiles,
      baseUrl,
      requestUrl,
      authenticate: basicAuthentication(secrets),
      requestTokenKeys: readRequestTokenKeys(config.REQUEST_TOKEN_KEY_FILE),
    };
  },
  async (
    { policy, profiles, baseUrl, requestUrl, authenticate, requestTokenKeys, ...config },
    { log, resources, ops },
  ) => {
    const sources: Issuer['sources'] = new Map(
      Object.entries(policy.sources).map(([name, source]) => {
        const profile = profiles.get(source.profile ?? POLICY_DEFAULTS.profile) as Profile;
        return [name, { policy: source, profile, watched: watchedNames(source, profile) }];
      }),
    );
    const link = openRedis(config, COMMAND_TIMEOUT_MS, resources, log);
    const bus = await openBus(config, 'issuer', resources, log);
    ops.readyWhen('nats', bus.isConnected);
    ops.readyWhen('redis', () => link.runId() !== undefined);
    const tokenLog = issueLog(log, ops.metrics);
    const jsm = await jetstreamManager(bus.nats, { checkAPI: false, timeout: 1000 });
    const names = { store: nameStore(bus.js, jsm), now: () => Math.floor(Date.now() / 1000) };
    const granter = {
      names: nameKeeper({ ...names, refused: tokenLog.nameRefused, clock: () => performance.now() }),
      builds: buildReader(link),
      budget: budget(link.redis),
      signer: remoteSigner(bus.nats),
      ...{ sources, baseUrl },
      now: Date.now,
      newId: randomUUID,
      requestUrl: `${requestUrl}/token?${REQUEST_QUERY}`,
      requestTokenKey: requestTokenKeys[0] as KeyObject,
    };
    const edge = { bus, granter, issueLog: tokenLog };
    answerGrants(edge, sources.keys(), resources, log);
    answerNameCommands(bus.nats, { ...names, log }, resources);

    const http = createHttp(log, config, withOneQuery);
    const reportLeak = leakReporter(bus.nats);
    await issuerRoutes(http, { granter, requestTokenKeys, authenticate, reportLeak, log: tokenLog });
    resources.defer(() => http.close());
    await http.listen({ host: config.HOST, port: config.PORT });
    await listenToLifecycle(edge, resources, log);
  },
);
