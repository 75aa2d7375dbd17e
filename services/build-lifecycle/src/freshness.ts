import { randomUUID } from 'node:crypto';
import type { BuildWriter } from '@mayfly/build-store/writer';
import type { Logger } from 'pino';
import { type Progress, replayFrom } from './progress.ts';

type Projection = {
  writer: BuildWriter;
  runId(): string | undefined;
  /** Asks JetStream how far the stream and its consumers are. */
  progress(): Promise<Progress>;
  /** Replays BUILDS from a sequence to another into the projection; calls `beat` now and then. */
  replay(from: number, to: number, beat: () => Promise<void>): Promise<number>;
};

/** How the projection is. */
export type Freshness = {
  /** Resolves when the projection may be written to: when the functions are loaded in the Redis process at hand. */
  prepared(): Promise<void>;
  /** Says whether the last proof succeeded. */
  isFresh(): boolean;
};

const BEAT_MS = 400;
/** How old an end that is not applied may be while the projection still counts as fresh, ms. */
const MAX_LAG_MS = 2000;

/**
 * Keeps the proof that the projection is fresh: every 400 ms it asks JetStream how far the consumers are and writes the
 * mark that readers believe. Where the Redis process is another than the one marked, it first replays what that one may
 * have missed; where nothing is marked for this stream, everything.
 */
export function keepFresh(projection: Projection, stopping: AbortSignal, log: Logger): Freshness {
  const owner = randomUUID();
  let preparedFor: string | undefined;
  let isFresh = false;
  let complained = '';
  const complain = (error: unknown) => {
    const { message } = error as Error;
    if (message !== complained) log.warn({ err: error }, 'freshness cannot be proven');
    complained = message;
    return false;
  };
  const beat = async () => {
    const runId = projection.runId();
    if (!runId) return false;
    if (preparedFor !== runId) {
      await projection.writer.prepare();
      preparedFor = runId;
    }
    return await prove(projection, runId, owner, log);
  };
  const loop = async () => {
    while (!stopping.aborted) {
      const was = isFresh;
      isFresh = await beat().catch(complain);
      if (isFresh) complained = '';
      if (was !== isFresh) log.info({ isFresh }, 'freshness changed');
      await pause(BEAT_MS, stopping);
    }
  };
  loop().catch((error: unknown) => log.error({ err: error }, 'freshness failed'));
  return {
    prepared: () => until(() => preparedFor !== undefined && preparedFor === projection.runId()),
    isFresh: () => isFresh,
  };
}

async function prove(projection: Projection, runId: string, owner: string, log: Logger): Promise<boolean> {
  const { writer } = projection;
  const mark = await writer.readMark();
  const progress = await projection.progress();
  const from = replayFrom(mark, runId, progress);
  const proof = { stream: progress.stream, runId, firstSeq: progress.firstSeq };
  if (from !== undefined) {
    if (!(await writer.holdRebuild(owner))) return false;
    if (mark?.stream !== progress.stream) await writer.clear();
    await rebuild(projection, from, progress, owner, log);
  }
  if (progress.oldestEndAt !== undefined && Date.now() - progress.oldestEndAt > MAX_LAG_MS) return false;
  const { startsFloor, endsFloor } = progress;
  const isWritten = await writer.writeMark(owner, { ...proof, startsFloor, endsFloor });
  if (from !== undefined) await writer.releaseRebuild();
  return isWritten;
}

async function rebuild(projection: Projection, from: number, progress: Progress, owner: string, log: Logger) {
  const started = performance.now();
  const hold = async () => {
    if (!(await projection.writer.holdRebuild(owner)))
      throw new Error('another replica took over the rebuild');
  };
  const isEmpty = progress.lastSeq === 0 || from > progress.lastSeq;
  const events = isEmpty ? 0 : await projection.replay(from, progress.lastSeq, hold);
  log.info(
    { from, to: progress.lastSeq, events, ms: Math.round(performance.now() - started) },
    'projection rebuilt',
  );
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

function pause(ms: number, stopping: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    stopping.addEventListener('abort', done);
  });
}
