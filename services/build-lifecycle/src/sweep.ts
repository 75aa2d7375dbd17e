import type { BuildName, BuildWriter } from '@mayfly/build-store/writer';
import type { Logger } from 'pino';
import { every } from './every.ts';
import { type Announcer, endOf } from './record.ts';

type Sweep = {
  writer: Pick<BuildWriter, 'due' | 'beat' | 'find'>;
  announce: Pick<Announcer, 'ended'>;
  /** Gives how long a source's builds may go without a heartbeat, ms. */
  heartbeatMs(source: string): number | undefined;
  /** Gives for how long heartbeats could have been heard and kept without a break, ms; 0 while they cannot. */
  listenedMs(): number;
  /** Says whether the projection is proven fresh: else what is due may long have ended. */
  isFresh(): boolean;
  now(): number;
};

const EVERY_MS = 250;
const AT_ONCE = 200;
/** For how long a build that is due is one replica's to end, ms. */
const HOLD_MS = 5000;

/** Ends builds at their deadline, and those whose heartbeats stopped, until the process stops. Each is ended once. */
export function sweepBuilds(sweep: Sweep, resources: AsyncDisposableStack, log: Logger): void {
  const act = async () => {
    if (sweep.isFresh()) await sweepOnce(sweep, log);
  };
  every(EVERY_MS, act, resources, (error) => log.warn({ err: error }, 'sweep failed'));
}

async function sweepOnce(sweep: Sweep, log: Logger): Promise<void> {
  for (;;) {
    const { builds, now } = await sweep.writer.due(AT_ONCE, HOLD_MS);
    await Promise.all(builds.map((build) => endOrPutOff(build, now, sweep, log)));
    if (builds.length < AT_ONCE) return;
  }
}

async function endOrPutOff(build: BuildName, now: number, sweep: Sweep, log: Logger): Promise<void> {
  const record = await sweep.writer.find(build);
  if (record?.state !== 'running') return;
  const { attempt } = record;
  const isOver = record.build.deadline <= now;
  const intervalMs = sweep.heartbeatMs(build.source);
  if (!isOver && (intervalMs === undefined || sweep.listenedMs() < intervalMs)) {
    // A heartbeat may have been sent that nobody could hear: the build has a whole interval again.
    await sweep.writer.beat([build], intervalMs ?? Number.MAX_SAFE_INTEGER);
    return;
  }
  const reason = isOver ? 'deadline' : 'heartbeat';
  await sweep.announce.ended(endOf({ ...build, attempt }, reason, sweep.now()));
  log.info({ source: build.source, buildId: build.id, attempt, reason }, 'build ended');
}
