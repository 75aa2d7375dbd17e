import type { TestContext } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Why a test was skipped; a skip that does not say it counts as a failure. */
    skipped?: string;
  }
}

/** Gives the options of a test, or of a `describe`, that is skipped where there is a reason for it. */
export function unless(reason: string | undefined) {
  return reason ? { skip: true, meta: { skipped: reason } } : {};
}

/** Skips the test that runs, for a reason that it found out by itself. */
export function skip({ task, skip: leave }: TestContext, reason: string): never {
  task.meta.skipped = reason;
  return leave(reason);
}

/** Why a test that is about processes and files of this machine does not run on containers; undefined on processes. */
export function onContainers(reason: string): string | undefined {
  return process.env['MAYFLY_TEST_ENGINE'] === 'containers' ? `on containers ${reason}` : undefined;
}
