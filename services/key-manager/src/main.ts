import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { POLICY_DEFAULTS, type Policy } from '@mayfly/contracts/policy';
import { claimNames } from '@mayfly/profiles/claims';
import { lifetimesOf } from '@mayfly/profiles/lifetime';
import { policyFaults } from '@mayfly/profiles/policy-faults';
import type { Profile } from '@mayfly/profiles/profile';
import { findProfiles } from '@mayfly/profiles/read';
import { findBaseUrl } from '@mayfly/service-kit/base-url';
import { eventually, openBus } from '@mayfly/service-kit/bus';
import { ownProfiles, readPolicy, refuseFaults } from '@mayfly/service-kit/policy';
import { outlinePolicy } from '@mayfly/service-kit/policy-outline';
import { run } from '@mayfly/service-kit/run';
import { readSettings } from '@mayfly/service-kit/settings';
import { Counter } from 'prom-client';
import { Config } from './config.ts';
import { localCustody } from './custody-local.ts';
import { answerRequests } from './events.ts';
import { harden } from './harden.ts';
import { keepAll, makeFit } from './keep.ts';
import type { Shared } from './keyrings.ts';
import { type RotationRules, rotationRules } from './rules.ts';
import { keyringSeal } from './seal.ts';
import type { Bounds } from './sign.ts';
import { keyStore } from './store.ts';
import { keyViews } from './views.ts';

await run(
  'key-manager',
  () => {
    const unclosed = harden({ execArgv: process.execArgv, nodeOptions: process.env['NODE_OPTIONS'] });
    return readSettings(Config, process.env, (config, faults) => {
      const policy = faults.collect(readPolicy, config.MAYFLY_CONFIG);
      const outline = policy ?? outlinePolicy(config.MAYFLY_CONFIG);
      const own = config.PROFILES_DIR ?? (policy && ownProfiles(config.MAYFLY_CONFIG as string, policy));
      const found = faults.collect((known) => findProfiles(own, known), outline);
      faults.add(...(found?.faults ?? []));
      const wrong = policy && found && policyFaults(policy, found.profiles, found.faulty);
      faults.collect(refuseFaults, config.MAYFLY_CONFIG, wrong);
      return {
        policy,
        profiles: found?.profiles,
        baseUrl: faults.collect(findBaseUrl, config, policy),
        rules: faults.collect(rotationRules, policy),
        seal: faults.collect(keyringSeal, config.KEY_ENCRYPTION_KEY_FILE),
        unclosed,
      };
    });
  },
  async ({ policy, baseUrl, profiles, rules, seal, unclosed, ...config }, { log, resources, ops }) => {
    const bounds = boundsOf(policy, baseUrl, profiles);
    if (unclosed.length > 0) log.warn({ unclosed }, 'memory can leave this process');
    const sources = [...bounds.keys()];
    const custody = localCustody();
    resources.defer(() => custody.close());
    const bus = await openBus(config, 'key-manager', resources, log);
    ops.readyWhen('nats', bus.isConnected);
    const open = () => keyStore(bus.nats);
    const store = await eventually(open, log, 'the buckets cannot be opened', bus.closing);
    const shared: Shared = {
      ...{ store, seal, custody, log },
      rules: (source) => rules.get(source) as RotationRules,
      now: Date.now,
      newest: (source) => views.newest(source),
    };
    const views = keyViews({
      store,
      async open(source, sealed, revision) {
        if (!bounds.has(source)) return undefined;
        return await seal.open(source, sealed, revision).catch((error: unknown) => {
          log.error({ err: error, source }, 'the keyring cannot be opened');
          return undefined;
        });
      },
      prepare: (keyring) => makeFit(keyring, store, Date.now),
      changed: (keyrings) =>
        custody.keepOnly(new Set(keyrings.flatMap(({ keys }) => keys.map(({ kid }) => kid)))),
      monotonic: () => performance.now(),
      wall: Date.now,
    });
    ops.readyWhen('keys', () => sources.every((source) => views.now(source)));
    keepAll({ shared, views, sources, log }, resources);
    const signatures = new Counter({
      name: 'mayfly_signatures_total',
      help: 'Tokens asked for, by algorithm and result.',
      labelNames: ['alg', 'result'],
      registers: [ops.metrics],
    });
    const signer = {
      ...{ views, custody },
      bounds: (source: string) => bounds.get(source),
      now: () => Math.floor(Date.now() / 1000),
    };
    const admin = { ...shared, views, sources };
    answerRequests(bus.nats, { signer, admin, signatures, log }, resources);
  },
);

function boundsOf(
  policy: Policy,
  baseUrl: string,
  profiles: ReadonlyMap<string, Profile>,
): Map<string, Bounds> {
  const bounds = new Map<string, Bounds>();
  for (const [source, { profile, ...rest }] of Object.entries(policy.sources)) {
    const claims = claimNames(profiles.get(profile ?? POLICY_DEFAULTS.profile) as Profile);
    const maxLifetimeSeconds = lifetimesOf(rest).longest;
    bounds.set(source, { issuer: issuerUrl(baseUrl, source), claims, maxLifetimeSeconds });
  }
  return bounds;
}
