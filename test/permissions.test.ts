import {
  BUCKETS,
  CONSUMERS,
  EVENT_NAMES,
  IMPORTED_API,
  NAMES_BUCKET,
  REBUILD_CONSUMERS,
  STREAMS,
} from '@mayfly/contracts/bus';
import { PERMISSIONS } from '@mayfly/infra/nats/permissions';
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { connectAs, openStreams } from './operator.ts';
import { knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
beforeAll(async () => {
  // One of each on any engine: a second issuer would take the announcements that the paused one is to lose.
  system = await testSystem({ replicas: 1 });
});
afterAll(() => system[Symbol.asyncDispose]());

const SERVICES = ['build-lifecycle', 'issuer', 'key-manager', 'jwks-publisher', 'operator'];
const ALL_BUCKETS = [...Object.values(BUCKETS), NAMES_BUCKET];
const ALL_STREAMS = [...Object.values(STREAMS), ...ALL_BUCKETS.map((name) => `KV_${name}`)];
const ALL_CONSUMERS = [...Object.values(CONSUMERS), ...REBUILD_CONSUMERS, 'mine'];

/** Everything that somebody who took a service might try to publish on or listen to. */
const SUBJECTS = [
  ...['acme', 'other'].flatMap((source) => [
    EVENT_NAMES.started(source),
    EVENT_NAMES.finished(source),
    EVENT_NAMES.grant(source),
    EVENT_NAMES.heartbeat(source),
    EVENT_NAMES.ended(source),
    EVENT_NAMES.deadLetter(source),
    EVENT_NAMES.tokens(source, 'runner'),
    EVENT_NAMES.keySetChanged(source),
    ...ALL_BUCKETS.map((bucket) => `$KV.${bucket}.${source}`),
  ]),
  EVENT_NAMES.readKeySet,
  EVENT_NAMES.buildRunning,
  EVENT_NAMES.buildFinished,
  EVENT_NAMES.buildFinishedStored,
  EVENT_NAMES.signIdToken,
  EVENT_NAMES.signStatusList,
  EVENT_NAMES.revokeBuild,
  EVENT_NAMES.adminBuilds('revoke'),
  EVENT_NAMES.adminDeadLetters('replay'),
  EVENT_NAMES.adminKeys('revoke'),
  EVENT_NAMES.adminNames('release'),
  ...['$JS.API', IMPORTED_API].flatMap((api) => [
    ...['INFO', 'STREAM.NAMES', 'ACCOUNT.PURGE', 'META.LEADER.STEPDOWN'].map((verb) => `${api}.${verb}`),
    ...ALL_STREAMS.flatMap((stream) => [
      ...['CREATE', 'UPDATE', 'DELETE', 'PURGE', 'INFO', 'SNAPSHOT', 'RESTORE', 'MSG.GET', 'MSG.DELETE'].map(
        (verb) => `${api}.STREAM.${verb}.${stream}`,
      ),
      `${api}.DIRECT.GET.${stream}`,
      `${api}.DIRECT.GET.${stream}.x`,
      ...ALL_CONSUMERS.flatMap((name) => [
        `${api}.CONSUMER.CREATE.${stream}.${name}`,
        `${api}.CONSUMER.CREATE.${stream}.${name}.x`,
        `${api}.CONSUMER.DURABLE.CREATE.${stream}.${name}`,
        `${api}.CONSUMER.INFO.${stream}.${name}`,
        `${api}.CONSUMER.DELETE.${stream}.${name}`,
        `${api}.CONSUMER.MSG.NEXT.${stream}.${name}`,
      ]),
    ]),
  ]),
  ...ALL_STREAMS.flatMap((stream) => ALL_CONSUMERS.map((name) => `$JS.ACK.${stream}.${name}.1.1.1.1.1`)),
  '_INBOX.issuer.x',
  '_INBOX.key-manager.x',
  '$SYS.REQ.SERVER.PING',
  'anything',
  '>',
];

// Before the probes, which write nonsense wherever they may.
test('an issuer that has the server deliver announcements elsewhere changes no build and no key', async () => {
  await using ci = await connectCi(system);
  await using streams = await openStreams(system);
  await ci.start({ id: 'deputy' });
  const token = (await ci.heard('deputy')).data.id_tokens['API_TOKEN'] as string;
  const before = await streams.lastSequences();
  const nats = await connectAs(system, 'issuer', { reconnect: false });
  const next = `${IMPORTED_API}.CONSUMER.MSG.NEXT.${STREAMS.lifecycle}.${CONSUMERS.issuer}`;
  await system.pause('issuer');

  for (const reply of [
    'ended.acme',
    'ci.acme.build.finished',
    'build.finished',
    'stored.build.finished',
    '$KV.keyring.acme',
    '$KV.key-sets.acme',
    'keys.sign.status-list',
  ]) {
    nats.publish(next, JSON.stringify({ batch: 1, no_wait: true }), { reply });
    await ci.start({ id: `bait-${reply}` });
  }
  await nats.flush();
  await nats.close();
  await system.resume('issuer');

  await eventually(
    async () => (await ci.askGrant('bait-ended.acme').catch(() => undefined)) !== undefined,
    'issuer',
  );
  expect(await knownActive(system, token)).toBe(true);
  const after = await streams.lastSequences();
  for (const bucket of Object.values(BUCKETS))
    expect([bucket, after[`KV_${bucket}`]]).toEqual([bucket, before[`KV_${bucket}`] ?? 'unknown']);
});

test.for(SERVICES)(
  '%s may publish and hear exactly what is written for it, of every subject that is tried',
  async (user) => {
    const { publish = [], subscribe = [] } = PERMISSIONS[user] ?? {};
    const nats = await connectAs(system, user, { reconnect: false });
    const refused = collectViolations(nats);

    for (const subject of SUBJECTS) if (subject !== '>') nats.publish(subject, '');
    for (const subject of SUBJECTS) nats.subscribe(subject, { callback: () => undefined });
    await nats.flush();
    await nats.flush();
    await nats.close();

    const allowed = subscribe.map((one) => one.split(' ')[0] as string);
    const queued = new Set(subscribe.filter((one) => one.includes(' ')).map((one) => one.split(' ')[0]));
    const mayPublish = (subject: string) => publish.some((pattern) => covers(pattern, subject));
    const mayHear = (subject: string) =>
      allowed.some((pattern) => !queued.has(pattern) && covers(pattern, subject));
    const published = SUBJECTS.filter((subject) => subject !== '>');
    expect(published.filter((subject) => !refused.has(`publish ${subject}`))).toEqual(
      published.filter(mayPublish),
    );
    expect(SUBJECTS.filter((subject) => !refused.has(`subscription ${subject}`))).toEqual(
      SUBJECTS.filter(mayHear),
    );
  },
);

test('nobody gets in without a name, with a wrong password, or as another', async () => {
  const servers = [system.natsUrl];
  const quick = { servers, reconnect: false, timeout: 2000 };
  await expect(connect(quick)).rejects.toThrow();
  await expect(connect({ ...quick, user: 'issuer', pass: 'wrong' })).rejects.toThrow();
  await expect(
    connect({ ...quick, user: 'issuer', pass: system.secret('nats-key-manager') }),
  ).rejects.toThrow();
});

test('every stream and bucket refuses deletes, purges, rollups and mirrors', async () => {
  await using streams = await openStreams(system);
  const [main, keys] = await Promise.all([
    streams.main.streams.list().next(),
    streams.keys.streams.list().next(),
  ]);

  const configs = [...main, ...keys].map(({ config }) => config);
  expect(configs.length).toBeGreaterThanOrEqual(5);
  for (const { name, deny_delete, deny_purge, allow_rollup_hdrs, mirror, sources } of configs) {
    expect({ name, deny_delete, deny_purge, allow_rollup_hdrs, mirror, sources }).toEqual({
      name,
      deny_delete: true,
      deny_purge: true,
      allow_rollup_hdrs: false,
    });
  }
});

const DANGEROUS = [
  ['FLUSHALL'],
  ['FLUSHDB'],
  ['CONFIG', 'GET', '*'],
  ['CONFIG', 'SET', 'save', ''],
  ['KEYS', '*'],
  ['EVAL', 'return 1', '0'],
  ['FUNCTION', 'FLUSH'],
  ['FUNCTION', 'DUMP'],
  ['SCRIPT', 'FLUSH'],
  ['ACL', 'LIST'],
  ['DEBUG', 'SLEEP', '0'],
  ['REPLICAOF', 'NO', 'ONE'],
  ['SHUTDOWN'],
  ['CLIENT', 'KILL', 'TYPE', 'normal'],
  ['MONITOR'],
  ['SUBSCRIBE', 'x'],
  ['PUBLISH', 'x', 'y'],
  ['SAVE'],
  ['SWAPDB', '0', '1'],
  ['GET', 'other'],
  ['SET', 'other', 'x'],
  ['UNLINK', 'other'],
];
const WRITES = [
  ['SET', 'build:{acme/1}', 'x'],
  ['SET', 'mark', 'x'],
  ['UNLINK', 'build:{acme/1}'],
  ['FCALL', 'builds_start', '1', 'build:{acme/1}'],
  ['FUNCTION', 'LOAD', 'x'],
  ['ZADD', 'checks', '1', 'x'],
  ['SETBIT', 'status:{acme}:0', '1', '1'],
];

test.for(['build-lifecycle', 'issuer', 'jwks-publisher'])(
  'in Redis %s may do what it needs and nothing else',
  async (user) => {
    const redis = new Redis(Number(new URL(system.redisUrl).port), '127.0.0.1', {
      username: 'operator',
      password: system.secret('redis-operator'),
    });
    const may = async (command: string[]) =>
      (await redis.call('ACL', 'DRYRUN', user, ...command).catch((error: Error) => error.message)) === 'OK';

    for (const command of DANGEROUS) expect([command, await may(command)]).toEqual([command, false]);
    for (const command of WRITES)
      expect([command, await may(command)]).toEqual([command, user === 'build-lifecycle']);
    expect(await may(['FCALL_RO', 'builds_read', '2', 'mark', 'build:{acme/1}'])).toBe(true);
    redis.disconnect();
  },
);

function collectViolations(nats: NatsConnection): Set<string> {
  const refused = new Set<string>();
  const watch = async () => {
    for await (const status of nats.status()) {
      if (status.type !== 'error' || !(status.error instanceof PermissionViolationError)) continue;
      refused.add(`${status.error.operation} ${status.error.subject}`);
    }
  };
  watch().catch(() => undefined);
  return refused;
}

/** Says whether a pattern of NATS covers a subject, itself perhaps with wildcards. */
function covers(pattern: string, subject: string): boolean {
  const [wanted, given] = [pattern.split('.'), subject.split('.')];
  for (const [index, word] of wanted.entries()) {
    if (word === '>') return given.length > index;
    if (given[index] === undefined || (word !== '*' && word !== given[index])) return false;
    if (word === '*' && given[index] === '>') return false;
  }
  return wanted.length === given.length;
}
