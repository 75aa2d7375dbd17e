import { randomUUID } from 'node:crypto';
import type { BuildWriter, Replaced } from '@mayfly/build-store/writer';
import { ServiceError } from '@mayfly/contracts/errors';
import type { AdmittedBuild, BuildEnded, BuildFinal, RunningBuild } from '@mayfly/contracts/events';
import type { Admitted } from './admit.ts';

/** Tells the other services, and the stream of events itself, what became of a build. */
export type Announcer = {
  running(source: string, build: RunningBuild): Promise<void>;
  finished(source: string, event: BuildFinal): Promise<void>;
  ended(event: BuildEnded): Promise<void>;
};

/** What recording needs: the projection, the announcements, and how long a finished build is remembered. */
export type Recorder = {
  writer: Pick<BuildWriter, 'start' | 'finish'>;
  announce: Announcer;
  retentionMs: number;
  /** Gives how long a source's builds may go without a heartbeat, ms; undefined where none are expected. */
  heartbeatMs(source: string): number | undefined;
  /** The time by JetStream, ms. */
  now(): number;
};

/** What recording without announcing needs. */
export type Recording = Omit<Recorder, 'announce' | 'now'>;

/** What became of an event; counted and logged by that name. */
export type Outcome =
  | 'ignored'
  | Awaited<ReturnType<BuildWriter['start'] | BuildWriter['finish']>>['outcome'];

/**
 * Records what an event asks for in one atomic step, then announces it. May be repeated: it then announces again.
 * Throws `conflict` where an earlier start of the same build says otherwise, and `temporarily_unavailable`.
 */
export async function record(admitted: Admitted, recorder: Recorder): Promise<Outcome> {
  if (admitted.kind === 'ignored') return 'ignored';
  return admitted.kind === 'start'
    ? await recordStart(admitted.build, recorder)
    : await recordFinish(admitted, recorder);
}

/** Records a start and nothing else: what a rebuild does with it. From now on it has a whole interval for its first heartbeat. */
export function recordRunning(build: AdmittedBuild, { writer, retentionMs, heartbeatMs }: Recording) {
  const checkAfterMs = heartbeatMs(build.source) ?? Number.MAX_SAFE_INTEGER;
  return writer.start(build, build.deadline + retentionMs, checkAfterMs);
}

/** What recording again needs, and for how long after an end somebody may still have to be told of it, ms. */
export type Replaying = Recording & Teller & { toldForMs: number };

/**
 * Records again what an event asked for, as a rebuild does. What it asked for has been announced; told is only what can come of
 * nothing but an event that was recorded before it while the data was gone: lives that this ends and of which nobody knows it.
 */
export async function recordAgain(admitted: Admitted, recorder: Replaying): Promise<void> {
  if (admitted.kind === 'ignored') return;
  if (admitted.kind === 'finish') {
    const { replaced } = await recorder.writer.finish(admitted);
    return await announceReplaced(admitted.source, admitted.id, replaced, recorder);
  }
  const { build } = admitted;
  const { outcome, replaced, since = 0 } = await recordRunning(build, recorder);
  // Those that began before it were told when it replaced them; and of those that were replaced so long ago no token is left.
  const isUntold =
    outcome === 'superseded'
      ? () => since > recorder.now() - recorder.toldForMs
      : ({ seq }: Replaced) => seq > build.seq;
  const untold = replaced.filter(isUntold);
  await announceReplaced(build.source, build.build.id, untold, recorder);
  if (outcome === 'conflict-first') await announceConflict(build, recorder);
}

async function recordStart(build: AdmittedBuild, recorder: Recorder): Promise<Outcome> {
  const { announce } = recorder;
  const { outcome, replaced } = await recordRunning(build, recorder);
  await announceReplaced(build.source, build.build.id, replaced, recorder);
  if (outcome === 'conflict')
    throw new ServiceError('conflict', 'an earlier start of this build says otherwise');
  if (outcome === 'conflict-first') {
    await announceConflict(build, recorder);
    throw new ServiceError(
      'conflict',
      'a later start of this build says otherwise and was admitted first: the build ends',
    );
  }
  if (outcome === 'running' || outcome === 'repeated') {
    const { source, attempt, id_tokens, reply } = build;
    const is_awaited = Boolean(id_tokens && reply);
    await announce.running(source, { id: build.build.id, attempt, is_awaited });
  }
  return outcome;
}

async function recordFinish(
  end: Extract<Admitted, { kind: 'finish' }>,
  recorder: Recorder,
): Promise<Outcome> {
  const { writer, announce, now } = recorder;
  const { source, id, attempt, reason, finishedAt } = end;
  const { outcome, seq, replaced } = await writer.finish({ source, id, attempt, reason, finishedAt });
  await announceReplaced(source, id, replaced, recorder);
  // Also of a superseded attempt: its end may have been recorded, and not told, before the higher one came.
  await announce.finished(source, {
    ...envelope('dev.mayfly.build.finished', source, now()),
    data: { id, attempt, reason, finished_at: finishedAt, ...(seq > 0 ? { seq } : {}) },
  });
  return outcome;
}

/** What announcing that something is over needs. */
type Teller = { announce: Pick<Announcer, 'finished' | 'ended'>; now(): number };

async function announceConflict(build: AdmittedBuild, { announce, now }: Teller): Promise<void> {
  await announce.ended(endOf({ ...build, id: build.build.id }, 'conflict', now()));
}

async function announceReplaced(source: string, id: string, replaced: Replaced[], recorder: Teller) {
  const at = recorder.now();
  const announced = replaced.map(({ attempt, seq }) =>
    recorder.announce.finished(source, {
      ...envelope('dev.mayfly.build.finished', source, at),
      data: { id, attempt, seq, reason: 'superseded', finished_at: at },
    }),
  );
  await Promise.all(announced);
}

/** Gives the event that ends a build which no CI finished. */
export function endOf(
  { source, id, attempt }: { source: string; id: string; attempt: number },
  reason: BuildEnded['data']['reason'],
  now: number,
): BuildEnded {
  return { ...envelope('dev.mayfly.build.ended', source, now), data: { id, attempt, reason } };
}

/** Gives what every event of ours says of itself. */
export function envelope<T extends string>(type: T, source: string, now: number) {
  return { specversion: '1.0', id: randomUUID(), source, type, time: new Date(now).toISOString() } as const;
}
