import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { constants } from 'node:os';
import type { Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { CommandError } from './exit-codes.ts';

/** One command of a step, and how its output is guarded. */
export type Step = {
  command: readonly string[];
  environment: NodeJS.ProcessEnv;
  /** Whether standard input has been used up (for the grant): the command then gets none. */
  isInputUsed: boolean;
  /** Makes what its output and its errors go through; undefined gives the command our own. */
  guard: ((output: Writable) => Duplex) | undefined;
  outputs: { stdout: Writable; stderr: Writable };
  /** Takes what to do with a signal that reaches us; gives how to stop. */
  onSignal(handler: (signal: NodeJS.Signals) => void): void;
  /** How long nothing may come of what the command left behind before its output is closed, ms; 5 s if left out. */
  idleMs?: number;
};

/** What a command started may hold its output open after it: it is waited for no longer than nothing has come for so long. */
const IDLE_MS = 5_000;
const LOOK_MS = 100;
/** What asks a step to stop; other signals ask the command for something of its own. */
const STOPS: ReadonlySet<string> = new Set(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']);
/** Of two signals that come closer together than this one is the same, by another way. */
const AGAIN_MS = 1000;

/** Whether a step was asked to stop, and when it was last. */
type Asked = { toStop: boolean; last: number };

/** Runs a command; gives its exit code, 128 + n where a signal ended it. Throws where its output cannot be guarded. */
export async function runStep(step: Step): Promise<number> {
  const [file = '', ...args] = step.command;
  const outlet = step.guard ? 'pipe' : 'inherit';
  const child = started(file, args, {
    env: step.environment,
    stdio: [step.isInputUsed ? 'ignore' : 'inherit', outlet, outlet],
  });
  const asked: Asked = { toStop: false, last: Number.NEGATIVE_INFINITY };
  step.onSignal((signal) => {
    if (STOPS.has(signal)) {
      asked.toStop = true;
      asked.last = performance.now();
    }
    child.kill(signal);
  });
  const flows = step.guard ? guardedFlows(child, step.guard, step.outputs) : [];
  const flowing = Promise.all(flows);
  flowing.catch(() => {});
  const code = await exitOf(child, file);
  await drained(flowing, child, step, asked);
  return code;
}

/**
 * Resolves when all output has passed; ends it where nothing more comes, and not because whoever reads ours is slow. Where the
 * step was asked to stop, what the command left behind has the same time and no more; and none, where it is asked again.
 */
async function drained(
  flowing: Promise<unknown>,
  child: ChildProcess,
  { outputs, idleMs = IDLE_MS }: Step,
  asked: Readonly<Asked>,
) {
  const pipes = [child.stdout, child.stderr] as (Socket | null)[];
  let passed = -1;
  const exitedAt = performance.now();
  let idleSince = exitedAt;
  const isOver = flowing.then(() => true);
  while (!(await Promise.race([isOver, delay(LOOK_MS, false, { ref: false })]))) {
    const read = pipes.reduce((sum, pipe) => sum + (pipe?.bytesRead ?? 0), 0);
    const isBlocked = outputs.stdout.writableLength + outputs.stderr.writableLength > 0;
    if (read !== passed || isBlocked) idleSince = performance.now();
    passed = read;
    const waitedMs = performance.now() - (asked.toStop ? exitedAt : idleSince);
    if (asked.last <= exitedAt + AGAIN_MS && waitedMs < idleMs) continue;
    for (const pipe of pipes) pipe?.destroy();
    return;
  }
}

function guardedFlows(child: ChildProcess, guard: (output: Writable) => Duplex, outputs: Step['outputs']) {
  return [flow(child.stdout, guard, outputs.stdout), flow(child.stderr, guard, outputs.stderr)];
}

async function flow(from: Readable | null, guard: (output: Writable) => Duplex, to: Writable): Promise<void> {
  try {
    if (from) await pipeline(from, guard(to), to, { end: false });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof CommandError) throw error;
    // Whoever read our output has gone, which the command will notice; or the command left others behind.
    if (code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE') return;
    throw new CommandError('masking', `the output cannot be written (${code}): it stops here`, {
      cause: error,
    });
  }
}

/** Some of what keeps a command from starting is thrown at once, the rest is told by an event. */
function started(file: string, args: string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(file, args, options);
  } catch (cause) {
    throw notStarted(cause, file);
  }
}

/** Gives the exit code of what was started, 128 + n where a signal ended it; throws where it did not start. */
export async function exitOf(child: Pick<ChildProcess, 'pid' | 'on'>, file: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on('exit', (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 0)));
  child.on('error', (cause) => {
    // With a pid it runs: this is of a signal that it may not be sent, as where it is another user's.
    if (child.pid === undefined) reject(notStarted(cause, file));
  });
  return await promise;
}

function notStarted(cause: unknown, file: string): CommandError {
  const { code } = cause as NodeJS.ErrnoException;
  const missing = code === 'ENOENT' || file === '';
  return new CommandError(
    missing ? 'notFound' : 'notRun',
    `${file || "''"} ${missing ? 'is not there' : `cannot be run (${code})`}: check the command`,
  );
}
