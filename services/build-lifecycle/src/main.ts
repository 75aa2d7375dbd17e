import { markKeeper } from '@mayfly/build-store/mark-keeper';
import { buildWriter } from '@mayfly/build-store/writer';
import { buildsRetentionMs, feedWindowMs } from '@mayfly/contracts/retention';
import { basicAuthentication } from '@mayfly/service-kit/basic-auth';
import { openBus } from '@mayfly/service-kit/bus';
import { readSecrets } from '@mayfly/service-kit/config';
import { createHttp } from '@mayfly/service-kit/http';
import { readPolicy } from '@mayfly/service-kit/policy';
import { outlinePolicy } from '@mayfly/service-kit/policy-outline';
import { openRedis } from '@mayfly/service-kit/redis';
import { run } from '@mayfly/service-kit/run';
import { readSettings } from '@mayfly/service-kit/settings';
import { readTls } from '@mayfly/service-kit/tls';
import { jetstreamManager } from '@nats-io/jetstream';
import { Counter } from 'prom-client';
import { announcer } from './announce.ts';
import { answerCommands, beat } from './commands.ts';
import { Config } from './config.ts';
import { deadLetters } from './dead-letters.ts';
import { listenToBuilds } from './events.ts';
import { forgetBuilds } from './forget.ts';
import { keepFresh } from './freshness.ts';
import { heartbeatIntervals } from './heartbeat-policy.ts';
import { eventRoutes } from './http.ts';
import { listening } from './listening.ts';
import { readProgress, watchProgress } from './progress.ts';
import { replay } from './replay.ts';
import { serverClock } from './server-clock.ts';
import { sweepBuilds } from './sweep.ts';

const COMMAND_TIMEOUT_MS = 1000;

await run(
  'build-lifecycle',
  () => {
    return readSettings(Config, process.env, (config, faults) => {
      const policy = faults.collect(readPolicy, config.MAYFLY_CONFIG);
      const { sources } = policy ?? outlinePolicy(config.MAYFLY_CONFIG);
      const secrets = faults.collect(readSecrets, 'SOURCES_FILE', config.SOURCES_FILE, Object.keys(sources));
      const tls = faults.collect(readTls, config);
      return { policy, tls, authenticate: faults.collect(basicAuthentication, secrets) };
    });
  },
  async ({ policy, tls, authenticate, ...config }, { log, resources, ops, stopping }) => {
    const { redis, runId, connection } = openRedis(config, COMMAND_TIMEOUT_MS, resources, log);
    const bus = await openBus(config, 'build-lifecycle', resources, log);
    const jsm = await jetstreamManager(bus.nats, { checkAPI: false, timeout: 2000 });
    const writer = buildWriter(redis);
    const heartbeatMs = heartbeatIntervals(policy);
    const recording = { writer, retentionMs: buildsRetentionMs(policy), heartbeatMs };
    const { now, hear } = serverClock(() => performance.now(), Date.now);
    const announce = announcer(bus.js, now);
    const { progress, endsWaiting } = watchProgress(() => readProgress(bus.nats, jsm), hear);
    const replaying = { ...recording, policy, announce, now, toldForMs: feedWindowMs(policy) };
    const freshness = keepFresh(
      {
        marks: markKeeper(redis),
        runId,
        connection,
        progress,
        replay: (range, beat) => replay({ js: bus.js, jsm }, replaying, range, beat),
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
    const canHear = () => bus.isConnected() && runId() !== undefined && freshness.isFresh();
    const { listenedMs } = listening(canHear, () => performance.now(), resources);
    const { isPrepared, isFresh } = freshness;
    sweepBuilds({ ...recording, announce, listenedMs, isFresh, now }, resources, log);
    forgetBuilds({ ...recording, isFresh }, resources, log);
    answerCommands(
      {
        ...recording,
        now,
        isFresh,
        nats: bus.nats,
        sources: Object.keys(policy.sources),
        announce,
        deadLetters: deadLetters(bus.js, jsm, log),
      },
      resources,
      log,
    );
    const recorder = { ...recording, announce, now };
    await listenToBuilds({ bus, policy, recorder, isPrepared, endsWaiting, counter }, resources, log);

    const http = createHttp(log, { tls });
    const hearBeat = (source: string, body: unknown) => beat(source, body, recording);
    eventRoutes(http, { js: bus.js, policy, authenticate, beat: hearBeat, now });
    resources.defer(() => http.close());
    await http.listen({ host: config.HOST, port: config.PORT });
  },
);
