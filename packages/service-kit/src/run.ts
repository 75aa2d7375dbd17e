import type { Logger } from 'pino';
import { createLogger } from './logger.ts';
import { type Ops, openOps } from './ops.ts';

/** What a service's main function is given: who it is, where it logs, and what closes when it stops. */
export type Process = {
  log: Logger;
  /** Closed in reverse order when the process is told to stop. */
  resources: AsyncDisposableStack;
  /** Says the process alive, ready and measured, on a port of its own. */
  ops: Ops;
  /** Aborted when the process is told to stop. */
  stopping: AbortSignal;
};

type Settings = { LOG_LEVEL: string; OPS_HOST: string; OPS_PORT: number };

/**
 * Takes a service's name, a function that reads its settings, and one that wires it; runs it until SIGTERM or SIGINT,
 * then closes what it opened in reverse order. A fault at start is one line and exit code 1.
 */
export async function run<C extends Settings>(
  name: string,
  settings: () => C,
  main: (config: C, process: Process) => Promise<void>,
): Promise<void> {
  const config = readSettings(name, settings);
  if (!config) return;
  const log = createLogger(name, config.LOG_LEVEL);
  const stopping = new AbortController();
  const resources = new AsyncDisposableStack();
  stopOnSignals(stopping, log);
  try {
    let isStarted = false;
    const ops = await openOps(config, resources);
    // Who is about to go is asked nothing new.
    ops.readyWhen('started', () => isStarted && !stopping.signal.aborted);
    const stop = new Promise<void>((resolve) => stopping.signal.addEventListener('abort', () => resolve()));
    // Whatever main still waits for when it is told to stop, it stops waiting.
    await Promise.race([main(config, { log, resources, ops, stopping: stopping.signal }), stop]);
    if (!stopping.signal.aborted) {
      isStarted = true;
      log.info('started');
    }
    await stop;
  } catch (error) {
    log.error({ err: error }, 'cannot run');
    process.exitCode = 1;
  }
  await resources.disposeAsync().catch((error: unknown) => log.error({ err: error }, 'cannot close'));
  log.info('stopped');
}

function readSettings<C>(name: string, settings: () => C): C | undefined {
  try {
    return settings();
  } catch (error) {
    process.stderr.write(`${name}: ${(error as Error).message}\n`);
    process.exitCode = 1;
    return undefined;
  }
}

function stopOnSignals(stopping: AbortController, log: Logger): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      log.info({ signal }, 'stopping');
      stopping.abort();
    });
  }
}
