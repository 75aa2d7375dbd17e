import type { Admitted } from '@mayfly/build-lifecycle/admit';
import { type Announcer, record, recordAgain } from '@mayfly/build-lifecycle/record';
import {
  type BuildRecord,
  buildKey,
  MARK_KEY,
  readLife,
  readRecord,
  STATUS_LIST_BITS,
  statusListPrefix,
} from '@mayfly/build-store/layout';
import { markKeeper } from '@mayfly/build-store/mark-keeper';
import { buildWriter } from '@mayfly/build-store/writer';
import { ServiceError } from '@mayfly/contracts/errors';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { testRedis } from './redis.ts';

const RUNS = process.env['MAYFLY_TEST_FULL'] ? 2000 : 20;
const HISTORIES_A_RUN = 500;
const NOW = Date.now();
const FUTURE = NOW + 3_600_000;

/** One event of a stream: which of two builds, which of three attempts, and which of two contents a start has. */
type StreamEvent = { kind: 'start' | 'finish'; build: 0 | 1; attempt: 1 | 2 | 3; content: 0 | 1 };
/** One delivery: which event (by a number that wraps), and after which step the process crashes. */
type Delivery = { event: number; crash: 'none' | 'before' | 'after-record' };
/** What comes after all data was lost: events, and which events are delivered before all that was handled is replayed. */
type Loss = { stream: StreamEvent[]; deliveries: number[] };
type History = { stream: StreamEvent[]; deliveries: Delivery[]; loss: Loss | undefined };

const streamEvent: fc.Arbitrary<StreamEvent> = fc.record({
  kind: fc.constantFrom('start', 'start', 'finish'),
  build: fc.constantFrom(0, 1),
  attempt: fc.constantFrom(1, 1, 2, 3),
  content: fc.constantFrom(0, 0, 0, 1),
});
const history: fc.Arbitrary<History> = fc
  .record({
    stream: fc.array(streamEvent, { minLength: 8, maxLength: 12 }),
    deliveries: fc.array(fc.record({ event: fc.nat(), crash: fc.constant('none') }), {
      minLength: 4,
      maxLength: 12,
    }),
    crashes: fc.tuple(
      fc.nat(),
      fc.nat(),
      fc.constantFrom('before', 'after-record'),
      fc.constantFrom('before', 'after-record'),
    ),
    loss: fc.option(
      fc.record({
        stream: fc.array(streamEvent, { maxLength: 3 }),
        deliveries: fc.array(fc.nat(), { maxLength: 4 }),
      }),
      { nil: undefined },
    ),
  })
  .map(({ stream, deliveries, crashes: [a, b, first, second], loss }) => {
    const crashed = [
      { event: a, crash: first },
      { event: b, crash: second },
    ] as Delivery[];
    return { stream, deliveries: [...(deliveries as Delivery[]), ...crashed], loss };
  });

test('every history of duplicates, shuffles, crashes and replays ends in the state of the pure model', {
  timeout: 3_600_000,
}, async () => {
  await using redis = await testRedis();
  const client = redis.connect();
  await markKeeper(client).prepare();
  const covered: Record<string, number> = {};
  let count = 0;

  const seed = Number(process.env['MAYFLY_TEST_SEED'] ?? Date.now() % 2 ** 31);
  for (let run = 0; run < RUNS; run++) {
    const histories = fc.sample(history, { numRuns: HISTORIES_A_RUN, seed: seed + run });
    await Promise.all(
      histories.map(async (one) => {
        await follow(one, `h${count++}`, client, covered).catch((cause: unknown) => {
          throw new Error(`seed ${seed}: ${JSON.stringify(one)}`, { cause });
        });
      }),
    );
  }
  console.log(`${count} histories from seed ${seed}; transitions covered: ${JSON.stringify(covered)}`);
  const ofStarts = ['running', 'repeated', 'finished', 'superseded', 'conflict', 'conflict-first'];
  const ofEnds = ['finished', 'repeated', 'superseded'];
  const all = [...ofStarts.map((one) => `start: ${one}`), ...ofEnds.map((one) => `finish: ${one}`)];
  expect(Object.keys(covered)).toEqual(expect.arrayContaining(all));
});

test('a build that cannot be recorded keeps none that is told together with it from being recorded', async () => {
  await using redis = await testRedis();
  const client = redis.connect();
  await markKeeper(client).prepare();
  const writer = buildWriter(client);
  await client.zadd(buildKey('acme', 'broken'), 1, 'no record');
  const ids = ['one', 'broken', 'two'];

  const starts = await Promise.allSettled(
    ids.map((id, at) => writer.start(runningBuild('acme', id, at + 1), FUTURE, 1000)),
  );
  const ends = await Promise.allSettled(
    ids.map((id) => writer.finish({ source: 'acme', id, attempt: 1, finishedAt: NOW, reason: 'success' })),
  );
  for (const results of [starts, ends]) {
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(results[1]).toMatchObject({ reason: { code: 'temporarily_unavailable' } });
  }
  for (const id of ['one', 'two']) {
    expect(await writer.find({ source: 'acme', id })).toMatchObject({ state: 'finished' });
  }
});

test('a build is forgotten once its end or its deadline is longer ago than it is remembered, and not before', async () => {
  await using redis = await testRedis();
  const client = redis.connect();
  await markKeeper(client).prepare();
  const writer = buildWriter(client);
  const [retentionMs, count] = [3_600_000, 300];
  const old = Date.now() - retentionMs - 60_000;
  const recent = Date.now() - retentionMs + 600_000;
  for (let index = 0; index < count; index++) {
    const start = (id: string, startedAt: number, deadline: number) =>
      writer.start(
        { ...runningBuild('acme', `${id}-${index}`, index), started_at: startedAt, deadline },
        FUTURE,
        FUTURE,
      );
    const finish = (id: string, finishedAt: number) =>
      writer.finish({ source: 'acme', id: `${id}-${index}`, attempt: 1, reason: 'success', finishedAt });
    await Promise.all([
      ...[finish('old', old), finish('recent', recent)],
      ...[start('overdue', old, old), start('running', old, FUTURE), start('late', old, recent)],
    ]);
  }

  const looks: Awaited<ReturnType<typeof writer.forget>>[] = [];
  do looks.push(await writer.forget(looks.at(-1)?.cursor ?? '0', retentionMs));
  while (looks.at(-1)?.cursor !== '0');

  const sum = (pick: (look: (typeof looks)[0]) => number) => looks.reduce((all, look) => all + pick(look), 0);
  expect(sum(({ forgotten }) => forgotten)).toBe(2 * count);
  expect(sum(({ seen }) => seen)).toBeGreaterThanOrEqual(5 * count);
  const isLeft = async (name: string) => {
    const ids = Array.from({ length: count }, (_, index) => `${name}-${index}`);
    const found = await Promise.all(ids.map((id) => writer.find({ source: 'acme', id })));
    return found.filter((one) => one !== undefined).length;
  };
  for (const name of ['recent', 'running', 'late']) expect(await isLeft(name)).toBe(count);
  for (const name of ['old', 'overdue']) expect(await isLeft(name)).toBe(0);
});

/** Delivers a history to the code under test, in its order, then every event once more; compares with the model. */
async function follow(
  { stream, deliveries, loss }: History,
  name: string,
  client: Redis,
  covered: Record<string, number>,
) {
  const log = stream.map((event, index) => toAdmitted(event, name, index + 1));
  const { recorder, told } = listeningRecorder(log, name, client);
  // Lives that could have tokens.
  const ran = new Set<string>();
  const deliver = async ({ event, crash }: Delivery) => {
    const admitted = log[event % log.length] as Admitted;
    if (crash === 'before') return;
    // A crash after the record was written loses what it announced.
    const lossy =
      crash === 'after-record'
        ? { ...recorder, announce: { ...recorder.announce, ...SAYS_NOTHING } }
        : recorder;
    const outcome = await outcomeOf(admitted, lossy);
    count(covered, `${admitted.kind}: ${outcome}`);
    if (admitted.kind === 'start' && outcome === 'running')
      ran.add(`${admitted.build.build.id} ${admitted.build.attempt}`);
  };
  // What was not acknowledged is delivered again, until all of it was handled, ends that came of it included.
  const deliverFrom = async (first: number, handled = new Set<number>()) => {
    for (let event = first; event < log.length; event++)
      if (!handled.has(event)) await deliver({ event, crash: 'none' });
  };
  for (const delivery of deliveries) await deliver(delivery);
  await deliverFrom(0);
  if (loss) {
    const builds = [0, 1].map((build) => buildKey(name, `b${build}`));
    await client.unlink(...builds, `${statusListPrefix(name)}0`);
    // What had not been acknowledged yet, or has come since, is delivered beside the replay.
    const replayed = ['finish', 'start'].flatMap((kind) => log.filter((one) => one.kind === kind));
    for (const event of loss.stream) log.push(toAdmitted(event, name, log.length + 1));
    const handled = new Set(loss.deliveries.map((event) => event % log.length));
    for (const event of handled) await deliver({ event, crash: 'none' });
    for (const one of replayed) await recordAgain(one, { ...recorder, toldForMs: 60_000 });
    await deliverFrom(replayed.length, handled);
  }
  await compare(name, log, client);
  const running = ['b0', 'b1'].flatMap((id) => {
    const { state, attempt } = model(log, id) ?? {};
    return state === 'running' ? [`${id} ${attempt}`] : [];
  });
  expect([...ran].filter((life) => !told.has(life) && !running.includes(life))).toEqual([]);
}

/** A recorder whose announcements are noted: lives whose end was told, and ends that come of it, which join the log. */
function listeningRecorder(log: Admitted[], name: string, client: Redis) {
  const told = new Set<string>();
  const announce: Announcer = {
    running: async () => undefined,
    finished: async (_, { data }) => void told.add(`${data.id} ${data.attempt}`),
    ended: async ({ data }) => {
      const isThere = log.some(
        (one) =>
          one.kind === 'finish' &&
          one.id === data.id &&
          one.attempt === data.attempt &&
          one.reason === 'conflict',
      );
      if (!isThere) log.push({ kind: 'finish', source: name, ...data, finishedAt: NOW });
    },
  };
  const recorder = {
    writer: buildWriter(client),
    announce,
    retentionMs: 3_600_000,
    heartbeatMs: () => undefined,
    now: () => NOW,
  };
  return { recorder, told };
}

const SAYS_NOTHING = { finished: async () => undefined, ended: async () => undefined };

async function outcomeOf(admitted: Admitted, recorder: Parameters<typeof record>[1]): Promise<string> {
  try {
    return await record(admitted, recorder);
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== 'conflict') throw error;
    return error.message.includes('first') ? 'conflict-first' : 'conflict';
  }
}

function toAdmitted({ kind, build, attempt, content }: StreamEvent, source: string, seq: number): Admitted {
  const id = `b${build}`;
  if (kind === 'finish') return { kind, source, id, attempt, reason: 'success', finishedAt: NOW };
  const facts = { build: { id, ref: `r${content}` }, attempt, digest: `d${content}` };
  return { kind, build: { ...runningBuild(source, id, seq), ...facts } };
}

function runningBuild(source: string, id: string, seq: number) {
  return { source, build: { id }, attempt: 1, seq, digest: 'd', started_at: NOW, deadline: FUTURE };
}

/** What a build is, as a function of the set of events that are stored about it: nothing of their order but their places. */
function model(
  log: Admitted[],
  id: string,
): { state: string; attempt: number; seq?: number; digest?: string } | undefined {
  const starts = log.flatMap((one) => (one.kind === 'start' && one.build.build.id === id ? [one.build] : []));
  const ends = log.flatMap((one) => (one.kind === 'finish' && one.id === id ? [one] : []));
  const attempt = Math.max(0, ...starts.map((one) => one.attempt), ...ends.map((one) => one.attempt));
  if (attempt === 0) return undefined;
  if (ends.some((one) => one.attempt === attempt)) return { state: 'finished', attempt };
  const [first] = starts.filter((one) => one.attempt === attempt).sort((a, b) => a.seq - b.seq);
  return { state: 'running', attempt, seq: first?.seq as number, digest: first?.digest as string };
}

async function compare(source: string, log: Admitted[], client: Redis): Promise<void> {
  const bits = await client.getBuffer(`${statusListPrefix(source)}0`);
  const isSet = (seq: number) => (((bits?.[seq >> 3] ?? 0) >> (7 - (seq & 7))) & 1) === 1;
  const running = new Set<number>();
  for (const id of ['b0', 'b1']) {
    const expected = model(log, id);
    const text = await client.get(buildKey(source, id));
    const actual = text === null ? undefined : shape(readRecord(source, text));
    expect(actual).toEqual(expected);
    // Whoever introspects cannot tell by the time which of these it was: it is one read of as many bytes.
    const reply = await client.fcall_ro('lives_read', 2, MARK_KEY, buildKey(source, id));
    const [, line = ''] = (reply as [string, string, string[]])[2];
    expect(line).toHaveLength(128);
    const life = readLife(line);
    expect([life?.state, life?.attempt]).toEqual([expected?.state, expected?.attempt]);
    if (expected?.seq !== undefined) running.add(expected.seq % STATUS_LIST_BITS);
  }
  for (let seq = 1; seq <= log.length; seq++) expect(isSet(seq)).toBe(running.has(seq));
}

function shape(found: BuildRecord) {
  const { state, attempt } = found;
  return found.state === 'running'
    ? { state, attempt, seq: found.seq, digest: found.build.digest }
    : { state, attempt };
}

function count(covered: Record<string, number>, outcome: string): void {
  covered[outcome] = (covered[outcome] ?? 0) + 1;
}
