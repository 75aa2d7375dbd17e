import {
  BUCKETS,
  CONSUMERS,
  EVENT_NAMES,
  MAX_STORED_EVENT_BYTES,
  NAMES_BUCKET,
  STREAMS,
} from '@mayfly/contracts/bus';
import { natsTls } from '@mayfly/contracts/nats-tls';
import type { Policy } from '@mayfly/contracts/policy';
import { buildsRetentionMs, lifecycleRetentionMs } from '@mayfly/contracts/retention';
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  jetstreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from '@nats-io/jetstream';
import { connect, nanos } from '@nats-io/transport-node';

type Login = { servers: string[]; password(user: string): string };

const HOUR_MS = 3_600_000;

/**
 * Makes the streams, consumers and buckets of a deployment, under identities that no service has. May be run again:
 * what is there is brought to what this says. `replicas` is 1, or 3 on a cluster.
 */
export async function bootstrap(policy: Policy, { servers, password }: Login, replicas = 1): Promise<void> {
  const login = { servers, password };
  const make = (jsm: JetStreamManager, streams: NamedStream[]) =>
    Promise.all(streams.map((config) => makeStream(jsm, { ...config, num_replicas: replicas })));
  await Promise.all([
    as('bootstrap', login, async (jsm) => {
      await make(jsm, [
        ...[buildsStream(policy), lifecycleStream(policy), DEAD_LETTERS],
        bucketStream(NAMES_BUCKET),
      ]);
      await Promise.all([
        makeConsumer(jsm, STREAMS.builds, consumer(CONSUMERS.starts, ['ci.*.build.started'])),
        makeConsumer(jsm, STREAMS.builds, consumer(CONSUMERS.ends, ['ci.*.build.finished', 'ended.*'])),
        makeConsumer(jsm, STREAMS.lifecycle, consumer(CONSUMERS.issuer, ['build.running'])),
      ]);
    }),
    as('bootstrap-keys', login, (jsm) => make(jsm, Object.values(BUCKETS).map(bucketStream))),
  ]);
}

type NamedStream = Partial<StreamConfig> & { name: string };

/** What every stream and bucket has in common: nothing in it can be taken back, replaced or mirrored. */
const COMMON = {
  retention: RetentionPolicy.Limits,
  storage: StorageType.File,
  deny_delete: true,
  deny_purge: true,
  allow_rollup_hdrs: false,
  allow_direct: true,
} as const satisfies Partial<StreamConfig>;

function buildsStream(policy: Policy) {
  return {
    ...COMMON,
    name: STREAMS.builds,
    subjects: ['ci.*.build.started', 'ci.*.build.finished', 'ended.*'],
    // What is a little too long is dead-lettered. No source can make what is read at once, by the hundred, more than the server
    // keeps for one connection before it cuts it off (64 MiB).
    max_msg_size: MAX_STORED_EVENT_BYTES,
    discard: DiscardPolicy.New,
    max_age: nanos(buildsRetentionMs(policy)),
    duplicate_window: nanos(120_000),
  };
}

function lifecycleStream(policy: Policy) {
  return {
    ...COMMON,
    name: STREAMS.lifecycle,
    subjects: ['build.running', 'build.finished'],
    discard: DiscardPolicy.New,
    // To the feed of each publisher, which would have to ask for every end otherwise.
    republish: { src: EVENT_NAMES.buildFinished, dest: EVENT_NAMES.buildFinishedStored },
    max_age: nanos(lifecycleRetentionMs(policy)),
  };
}

const DEAD_LETTERS = {
  ...COMMON,
  name: STREAMS.deadLetters,
  subjects: ['dead-letters.*'],
  discard: DiscardPolicy.Old,
  max_msgs_per_subject: 10_000,
  max_age: nanos(30 * 24 * HOUR_MS),
};

function bucketStream(bucket: string) {
  return {
    ...COMMON,
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    discard: DiscardPolicy.New,
    // A keyring that was replaced holds keys that are gone or revoked; a name has one holder.
    max_msgs_per_subject: bucket === BUCKETS.keySets ? 16 : 1,
  };
}

function consumer(name: string, filters: string[]): Partial<ConsumerConfig> {
  return {
    durable_name: name,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(2500),
    max_deliver: -1,
    max_ack_pending: 4096,
    ...(filters.length === 1 ? { filter_subject: filters[0] as string } : { filter_subjects: filters }),
  };
}

async function makeStream(jsm: JetStreamManager, config: NamedStream): Promise<void> {
  const there = await jsm.streams.info(config.name).catch(() => undefined);
  if (there) await jsm.streams.update(config.name, config);
  else await jsm.streams.add(config);
}

async function makeConsumer(
  jsm: JetStreamManager,
  stream: string,
  config: Partial<ConsumerConfig>,
): Promise<void> {
  const there = await jsm.consumers.info(stream, config.durable_name as string).catch(() => undefined);
  if (there) await jsm.consumers.update(stream, config.durable_name as string, config);
  else await jsm.consumers.add(stream, config);
}

async function as(
  user: string,
  { servers, password }: Login,
  act: (jsm: JetStreamManager) => Promise<unknown>,
) {
  const nats = await connect({
    servers,
    ...natsTls(servers),
    user,
    pass: password(user),
    name: user,
    inboxPrefix: `_INBOX.${user}`,
    timeout: 5000,
    maxReconnectAttempts: 40,
    reconnectTimeWait: 100,
    waitOnFirstConnect: true,
  });
  try {
    await act(await jetstreamManager(nats, { checkAPI: false }));
  } finally {
    await nats.close();
  }
}
