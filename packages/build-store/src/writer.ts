import type { AdmittedBuild } from '@mayfly/contracts/events';
import type { Redis } from 'ioredis';
import { batched } from './batched.ts';
import { guarded, unwritable } from './guarded.ts';
import {
  type BuildRecord,
  buildKey,
  CHECKS_KEY,
  checkMember,
  readCheckMember,
  readRecord,
  readTime,
  statusListPrefix,
  writeFacts,
  writeReason,
  writeTime,
} from './layout.ts';

/**
 * What became of a start: `running` (on record now), `repeated` (was already), `finished` (its end came before it),
 * `superseded` (a higher attempt is the build), `conflict` (an earlier start says otherwise), `conflict-first` (a later
 * start that says otherwise is on record: the build has to end).
 */
export type StartOutcome = 'running' | 'repeated' | 'finished' | 'superseded' | 'conflict' | 'conflict-first';
/** What became of an end. */
export type FinishOutcome = 'finished' | 'repeated' | 'superseded';

/**
 * A life of a lower attempt that was replaced while it ran, now or before: a record keeps the last ones, so that whoever
 * repeats, or comes after one that stopped before it said so, tells it again.
 */
export type Replaced = { attempt: number; seq: number };

/** An end to record: of which life, when JetStream stored it (ms), and why. */
export type Finish = {
  source: string;
  id: string;
  attempt: number;
  finishedAt: number;
  reason: string;
};

/** A build, by its source and id. */
export type BuildName = { source: string; id: string };

/** The one writer of builds. */
export type BuildWriter = {
  /**
   * Records a start: until when its status list is kept, and how long until somebody has to look whether it should end (ms). Of one
   * that is superseded gives since when a higher attempt runs, or has ended (ms).
   */
  start(
    build: AdmittedBuild,
    listUntil: number,
    checkAfterMs: number,
  ): Promise<{ outcome: StartOutcome; replaced: Replaced[]; since?: number }>;
  finish(finish: Finish): Promise<{ outcome: FinishOutcome; seq: number; replaced: Replaced[] }>;
  /**
   * Gives builds that have to be looked at, at most `limit`, and Redis's time (ms). They are the caller's for `holdMs`:
   * unless they end by then, they are given to somebody again.
   */
  due(limit: number, holdMs: number): Promise<{ builds: BuildName[]; now: number }>;
  /** Puts off the next look at those of these builds that run; gives how many do. */
  beat(builds: BuildName[], nextMs: number): Promise<number>;
  /**
   * Looks at some builds, from where `cursor` points (`0` at first), and forgets those whose end or deadline is longer ago than
   * `retentionMs`; gives how many it saw and forgot, and where to go on: `0` after the last.
   */
  forget(cursor: string, retentionMs: number): Promise<{ cursor: string; seen: number; forgotten: number }>;
  /** Gives the current life of a build, undefined where there is none. */
  find(build: BuildName): Promise<BuildRecord | undefined>;
};

/** How many keys one look goes through: what Redis does in less than a millisecond. */
const AT_A_LOOK = 200;
/** Most builds of one step: what Redis does in about a millisecond. */
const AT_A_STEP = 100;

/** A build, and what is told of it. */
type Told = BuildName & { args: (string | number)[] };

/** Why a build could not be recorded though others of its step were. */
type Failed = ['failed', string];

/**
 * Takes a connection to Redis; gives the writer of builds over it. What is told in one turn of the event loop is recorded
 * together. Throws `temporarily_unavailable` where Redis fails.
 */
export function buildWriter(redis: Redis): BuildWriter {
  const onBuilds = <Reply>(name: 'builds_start' | 'builds_finish') =>
    batched<Told, Reply>(AT_A_STEP, async (all) => {
      const keys = all.flatMap(({ source, id }) => [buildKey(source, id), statusListPrefix(source)]);
      const args = all.flatMap(({ source, id, args: own }) => [...own, checkMember(source, id)]);
      return (await guarded(redis.fcall(name, keys.length + 1, CHECKS_KEY, ...keys, ...args))) as Reply[];
    });
  const start = onBuilds<Failed | [StartOutcome, string, string?]>('builds_start');
  const finish = onBuilds<Failed | [FinishOutcome, number, string]>('builds_finish');
  return {
    async start(build, listUntil, checkAfterMs) {
      const { source, attempt, seq, started_at, deadline, digest } = build;
      const facts = writeFacts(build);
      const times = [writeTime(started_at), writeTime(deadline)] as const;
      const args = [attempt, seq, ...times, digest, facts, listUntil, checkAfterMs];
      const [outcome, lives, since] = recorded(await start({ source, id: build.build.id, args }));
      return { outcome, replaced: readReplaced(lives), ...(since ? { since: readTime(since) } : {}) };
    },
    async finish({ source, id, attempt, finishedAt, reason }) {
      const args = [attempt, writeTime(finishedAt), writeReason(reason)];
      const [outcome, seq, lives] = recorded(await finish({ source, id, args }));
      return { outcome, seq, replaced: readReplaced(lives) };
    },
    async due(limit, holdMs) {
      const [members, now] = (await guarded(redis.fcall('checks_due', 1, CHECKS_KEY, limit, holdMs))) as [
        string[],
        string,
      ];
      return { builds: members.map(readCheckMember), now: Number(now) };
    },
    async beat(builds, nextMs) {
      const keys = [CHECKS_KEY, ...builds.map(({ source, id }) => buildKey(source, id))];
      const members = builds.map(({ source, id }) => checkMember(source, id));
      return (await guarded(redis.fcall('builds_beat', keys.length, ...keys, nextMs, ...members))) as number;
    },
    async forget(cursor, retentionMs) {
      const [next, keys] = await guarded(redis.scan(cursor, 'MATCH', 'build:*', 'COUNT', AT_A_LOOK));
      if (keys.length === 0) return { cursor: next, seen: 0, forgotten: 0 };
      const forgotten = await guarded(redis.fcall('builds_forget', keys.length, ...keys, retentionMs));
      return { cursor: next, seen: keys.length, forgotten: forgotten as number };
    },
    async find({ source, id }) {
      const text = await guarded(redis.get(buildKey(source, id)));
      return text === null ? undefined : readRecord(source, text);
    },
  };
}

function readReplaced(lives: string): Replaced[] {
  return Array.from(lives.matchAll(/ (\d+) (\d+)/g), ([, attempt, seq]) => ({
    attempt: Number(attempt),
    seq: Number(seq),
  }));
}

/** Gives the reply about one build; throws `temporarily_unavailable` where it could not be recorded. */
function recorded<Reply extends readonly unknown[]>(reply: Failed | Reply): Reply {
  if (reply[0] === 'failed') throw unwritable(new Error(String(reply[1])));
  return reply as Reply;
}
