import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { POLICY_DEFAULTS } from '@mayfly/contracts/policy';
import { claimNames } from '@mayfly/profiles/claims';
import { lifetimesOf } from '@mayfly/profiles/lifetime';
import { readProfile } from '@mayfly/profiles/read';
import { eventually, openBus } from '@mayfly/service-kit/bus';
import { readEnv } from '@mayfly/service-kit/config';
import { readPolicy } from '@mayfly/service-kit/policy';
import { run } from '@mayfly/service-kit/run';
import { Counter } from 'prom-client';
import { Config } from './config.ts';
import { answerSigning } from './events.ts';
import type { Keyring } from './keyring.ts';
import { agreeOnKeyring } from './keyrings.ts';
import { keyringSeal } from './seal.ts';
import type { Bounds } from './sign.ts';
import { keyStore } from './store.ts';

await run(
  'key-manager',
  () => {
    const config = readEnv(Config, process.env);
    return {
      ...config,
      policy: readPolicy(config.MAYFLY_CONFIG),
      seal: keyringSeal(config.KEY_ENCRYPTION_KEY_FILE),
    };
  },
  async ({ policy, seal, ...config }, { log, resources, ops }) => {
    const baseUrl = config.BASE_URL ?? policy.base_url;
    if (!baseUrl) throw new TypeError('settings: base_url in mayfly.yaml, or BASE_URL, must be set');
    const bounds = new Map<string, Bounds>();
    for (const [source, sourcePolicy] of Object.entries(policy.sources)) {
      const claims = claimNames(
        await readProfile(config.PROFILES_DIR, sourcePolicy.profile ?? POLICY_DEFAULTS.profile),
      );
      const maxLifetimeSeconds = lifetimesOf(sourcePolicy).longest;
      bounds.set(source, { issuer: issuerUrl(baseUrl, source), claims, maxLifetimeSeconds });
    }
    const keyrings = new Map<string, Keyring>();
    ops.readyWhen('keys', () => keyrings.size === bounds.size);
    const bus = await openBus(config, 'key-manager', resources, log);
    ops.readyWhen('nats', bus.isConnected);
    const store = await eventually(
      () => keyStore(bus.nats),
      log,
      'the buckets cannot be opened',
      bus.closing,
    );
    for (const source of bounds.keys()) {
      const agree = () => agreeOnKeyring(source, { store, seal, log, now: Date.now });
      keyrings.set(source, await eventually(agree, log, 'the keyring cannot be read', bus.closing));
    }
    const counter = new Counter({
      name: 'mayfly_signatures_total',
      help: 'Tokens asked for, by algorithm and result.',
      labelNames: ['alg', 'result'],
      registers: [ops.metrics],
    });
    const signer = {
      keyring: (source: string) => keyrings.get(source),
      bounds: (source: string) => bounds.get(source),
      now: () => Math.floor(Date.now() / 1000),
    };
    answerSigning(bus.nats, signer, counter, resources, log);
  },
);
