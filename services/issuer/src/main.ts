import { type KeyObject, randomUUID } from 'node:crypto';
import { buildReader } from '@mayfly/build-store/reader';
import { IMPORTED_API } from '@mayfly/contracts/bus';
import { POLICY_DEFAULTS } from '@mayfly/contracts/policy';
import { REQUEST_QUERY, withOneQuery } from '@mayfly/contracts/request-url';
import { watchedNames } from '@mayfly/profiles/names';
import { policyFaults } from '@mayfly/profiles/policy-faults';
import type { Profile } from '@mayfly/profiles/profile';
import { findProfiles } from '@mayfly/profiles/read';
import { findBaseUrl, findRequestUrl } from '@mayfly/service-kit/base-url';
import { basicAuthentication } from '@mayfly/service-kit/basic-auth';
import { openBus } from '@mayfly/service-kit/bus';
import { readSecrets } from '@mayfly/service-kit/config';
import { createHttp } from '@mayfly/service-kit/http';
import { ownProfiles, readPolicy, refuseFaults } from '@mayfly/service-kit/policy';
import { outlinePolicy } from '@mayfly/service-kit/policy-outline';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { readSettings } from '@mayfly/service-kit/settings';
import { readTls } from '@mayfly/service-kit/tls';
import { jetstreamManager } from '@nats-io/jetstream';
import { listenToLifecycle } from './announcements.ts';
import { budget } from './budget.ts';
import { Config } from './config.ts';
import { answerGrants } from './grant-requests.ts';
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
    return readSettings(Config, process.env, (config, faults) => {
      const policy = faults.collect(readPolicy, config.MAYFLY_CONFIG);
      const outline = policy ?? outlinePolicy(config.MAYFLY_CONFIG);
      const own = config.PROFILES_DIR ?? (policy && ownProfiles(config.MAYFLY_CONFIG as string, policy));
      const found = faults.collect((known) => findProfiles(own, known), outline);
      faults.add(...(found?.faults ?? []));
      const wrong = policy && found && policyFaults(policy, found.profiles, found.faulty);
      faults.collect(refuseFaults, config.MAYFLY_CONFIG, wrong);
      const names = Object.keys(outline.sources);
      const secrets = faults.collect(readSecrets, 'SOURCES_FILE', config.SOURCES_FILE, names);
      return {
        policy,
        profiles: found?.profiles,
        baseUrl: faults.collect(findBaseUrl, config, policy),
        requestUrl: faults.collect(findRequestUrl, config, policy),
        authenticate: faults.collect(basicAuthentication, secrets),
        requestTokenKeys: faults.collect(readRequestTokenKeys, config.REQUEST_TOKEN_KEY_FILE),
        tls: faults.collect(readTls, config),
      };
    });
  },
  async (
    { policy, profiles, baseUrl, requestUrl, authenticate, requestTokenKeys, tls, ...config },
    { log, resources, ops },
  ) => {
    const sources: Issuer['sources'] = new Map(
      Object.entries(policy.sources).map(([name, source]) => {
        const profile = profiles.get(source.profile ?? POLICY_DEFAULTS.profile) as Profile;
        return [name, { policy: source, profile, watched: watchedNames(source, profile) }];
      }),
    );
    const link = openRedis(config, COMMAND_TIMEOUT_MS, resources, log);
    const bus = await openBus(config, 'issuer', resources, log, IMPORTED_API);
    ops.readyWhen('nats', bus.isConnected);
    ops.readyWhen('redis', () => link.runId() !== undefined);
    const tokenLog = issueLog(log, ops.metrics);
    const jsm = await jetstreamManager(bus.nats, {
      ...{ apiPrefix: IMPORTED_API, checkAPI: false, timeout: 1000 },
    });
    const names = { store: nameStore(bus.js, jsm), now: () => Math.floor(Date.now() / 1000) };
    const granter = {
      names: nameKeeper({ ...names, refused: tokenLog.nameRefused, clock: () => performance.now() }),
      builds: buildReader(link),
      budget: budget(link.redis),
      signer: remoteSigner(bus.nats),
      ...{ sources, baseUrl },
      now: Date.now,
      clock: () => performance.now(),
      newId: randomUUID,
      requestUrl: `${requestUrl}/token?${REQUEST_QUERY}`,
      requestTokenKey: requestTokenKeys[0] as KeyObject,
    };
    const edge = { bus, granter, issueLog: tokenLog };
    answerGrants(edge, sources.keys(), resources, log);
    answerNameCommands(bus.nats, { ...names, log }, resources);

    const http = createHttp(log, { tls, readTarget: withOneQuery });
    const reportLeak = leakReporter(bus.nats);
    await issuerRoutes(http, { granter, requestTokenKeys, authenticate, reportLeak, log: tokenLog });
    resources.defer(() => http.close());
    await http.listen({ host: config.HOST, port: config.PORT });
    await listenToLifecycle(edge, resources, log);
  },
);
