import { buildWriter } from '@mayfly/build-store/writer';
import { buildsRetentionMs } from '@mayfly/contracts/retention';
import { openBus } from '@mayfly/service-kit/bus';
import { readEnv } from '@mayfly/service-kit/config';
import { readPolicy } from '@mayfly/service-kit/policy';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { jetstreamManager } from '@nats-io/jetstream';
import { Counter } from 'prom-client';
import { announcer } from './announce.ts';
import { Config } from './config.ts';
import { listenToBuilds } from './events.ts';
import { keepFresh } from './freshness.ts';
import { readProgress } from './progress.ts';
import { replay } from './replay.ts';

const COMMAND_TIMEOUT_MS = 1000;

await run(
  'build-lifecycle',
  () => {
    const config = readEnv(Config, process.env);
    return { ...config, policy: readPolicy(config.MAYFLY_CONFIG) };
  },
  async ({ policy, ...config }, { log, resources, ops, stopping }) => {
    const { redis, runId } = openRedis(config, COMMAND_TIMEOUT_MS, resources, log);
    const bus = await openBus(config, 'build-lifecycle', resources, log);
    const jsm = await jetstreamManager(bus.nats, { checkAPI: false, timeout: 2000 });
    const writer = buildWriter(redis);
    const retentionMs = buildsRetentionMs(policy);
    const target = { writer, policy, retentionMs };
    const freshness = keepFresh(
      {
        writer,
        runId,
        progress: () => readProgress(bus.nats, jsm),
        replay: (from, to, beat) => replay({ js: bus.js, jsm }, target, { from, to }, beat),
      },
      stopping,
      log,
    );
    ops.readyWhen('nats', bus.isConnected);
    ops.readyWhen('projection', freshness.isFresh);
    const counter = new Counter({
      name: 'mayfly_events_total',
      help: 'Events of BUILDS, by what became of them.',
      labelNames: ['outcome'],
      registers: [ops.metrics],
    });
    const recorder = { writer, announce: announcer(bus.js), retentionMs, now: Date.now };
    await listenToBuilds({ bus, policy, recorder, prepared: freshness.prepared, counter }, resources, log);
  },
);
