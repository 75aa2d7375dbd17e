import { randomUUID } from 'node:crypto';
import type { MarkKeeper } from '@mayfly/build-store/mark-keeper';
import type { Logger } from 'pino';
import { keepRight, type Overlap, overlap } from './overlap.ts';
import { type Held, type Progress, type ReplayRange, replayRange } from './progress.ts';

type Projection = {
  marks: MarkKeeper;
  runId(): string | undefined;
  connection(): number;
  /** Asks JetStream how far the stream and its consumers are. */
  progress(): Promise<Progress>;
  /** Replays a part of BUILDS into the projection; calls `beat` now and then; gives the number of events. */
  replay(range: ReplayRange, beat: () => Promise<void>): Promise<number>;
};

/** How the projection is. */
export type Freshness = {
  /** Says whether the functions are loaded in the Redis process at hand: else nothing can be recorded. */
  isPrepared(): boolean;
  /** Says whether the last proof succeeded. */
  isFresh(): boolean;
};

const BEAT_MS = 400;
/** How soon it is tried again where the last proof failed. */
const RETRY_MS = 100;
/** How old an end that is not applied may be while the projection still counts as fresh, ms. */
const MAX_LAG_MS = 2000;

/**
 * Keeps the proof that the projection is fresh: every 400 ms it asks JetStream how far the consumers are and writes the
 * mark that readers believe. Where the Redis process is another than the one marked, it first replays what that one may
 * have missed, and for a while what is still recorded in that other one; where nothing is marked for this stream, everything.
 */
export function keepFresh(projection: Projection, stopping: AbortSignal, log: Logger): Freshness {
  const owner = randomUUID();
  const after = overlap(projection, owner, () => performance.now());
  let preparedFor: string | undefined;
  let provenConnection: number | undefined;
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
      await projection.marks.prepare();
      preparedFor = runId;
    }
    const connection = projection.connection();
    const isProven = provenConnection === connection;
    if (isProven) await after.catchUp();
    const { isRebuilt, isProof } = await prove(
      projection,
      { runId, connection, isProven },
      { owner, after },
      log,
    );
    if (isRebuilt) provenConnection = connection;
    return isProof;
  };
  const loop = async () => {
    while (!stopping.aborted) {
      const was = isFresh;
      isFresh = await beat().catch(complain);
      if (isFresh) complained = '';
      if (was !== isFresh) log.info({ isFresh }, 'freshness changed');
      await pause(isFresh ? BEAT_MS : RETRY_MS, stopping);
    }
  };
  loop().catch((error: unknown) => log.error({ err: error }, 'freshness failed'));
  return {
    isPrepared: () => preparedFor !== undefined && preparedFor === projection.runId(),
    isFresh: () => isFresh,
  };
}

/** The Redis process that is proven: its id and our connection to it, and whether we proved it before over that. */
type Target = Pick<Held, 'runId' | 'isProven'> & { connection: number };

/** Who keeps the projection, and what it still replays after a process took over. */
type Keeper = { owner: string; after: Overlap };

async function prove(
  projection: Projection,
  target: Target,
  keeper: Keeper,
  log: Logger,
): Promise<{ isRebuilt: boolean; isProof: boolean }> {
  const { marks } = projection;
  const found = await look(projection, target);
  const isTaken = found.range !== undefined;
  if (isTaken && !(await marks.takeRebuild(keeper.owner))) return { isRebuilt: false, isProof: false };
  const { read, progress, range } = isTaken ? await complete(projection, target, keeper, log) : found;
  const { stream, firstSeq, starts, ends, oldestEndAt, at } = progress;
  // Data that is complete up to its floors is worth a mark though it is not fresh: it need not be replayed again.
  const isProof = oldestEndAt === undefined || at - oldestEndAt <= MAX_LAG_MS;
  const floors = { startsFloor: starts.floor, endsFloor: ends.floor };
  // The proof of one who rebuilt is as old as the rebuild was long: the next one counts.
  const times = range
    ? { at: 0, markedAt: (await marks.readMark()).now }
    : { at: isProof ? read.now : 0, markedAt: read.now };
  sameProcess(projection, target);
  const mark = { stream, runId: target.runId, firstSeq, ...floors, ...times };
  const isWritten = await marks.writeMark(keeper.owner, mark);
  if (isTaken) await marks.releaseRebuild(keeper.owner);
  return { isRebuilt: isWritten, isProof: isProof && isWritten && !range };
}

/** Replays, by the right to, what is missing; gives what was there before, and what was replayed. */
async function complete(projection: Projection, target: Target, { owner, after }: Keeper, log: Logger) {
  // Somebody else may have rebuilt it, or the data was lost, before the right was ours.
  let { read, progress, range } = await look(projection, target);
  if (!range) return { read, progress, range };
  if (read.mark?.stream !== progress.stream) {
    await projection.marks.clear();
    // What anybody recorded until now may be gone: all that was delivered by now has to be replayed.
    progress = await projection.progress();
    range = replayRange({ ...target, now: read.now, mark: undefined }, progress) ?? range;
  }
  await rebuild(projection, range, target, owner, log);
  after.begin(range, read.mark, target.runId);
  return { read, progress, range };
}

/** Reads the mark, then asks JetStream; gives both, and what has to be replayed. */
async function look(projection: Projection, target: Target) {
  const read = await projection.marks.readMark();
  const progress = await projection.progress();
  return { read, progress, range: replayRange({ ...target, ...read }, progress) };
}

/** Throws where the connection now leads to another process than the one that is proven: its mark is not for that one. */
function sameProcess({ runId, connection }: Projection, target: Target): void {
  if (runId() === target.runId && connection() === target.connection) return;
  throw new Error('redis is another process by now');
}

async function rebuild(
  projection: Projection,
  range: ReplayRange,
  target: Target,
  owner: string,
  log: Logger,
): Promise<void> {
  const started = performance.now();
  const hold = async () => {
    sameProcess(projection, target);
    await keepRight(projection.marks, owner);
  };
  const events = await projection.replay(range, hold);
  const ms = Math.round(performance.now() - started);
  log.info({ ...range, events, ms }, 'projection rebuilt');
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
