import type { Unpacked } from '@mayfly/infra/debian';
import { type Program, startProgram } from './program.ts';
import type { HttpJob, HttpResult } from './program-http.ts';
import { findWrk, runWrk } from './wrk.ts';

/** What sends HTTP requests, never from this process. */
export type HttpLoad = AsyncDisposable & {
  name: string;
  /** As many as are answered. */
  closed(job: Omit<HttpJob, 'perSecond'>): Promise<HttpResult>;
  /** So many a second. */
  paced(job: HttpJob & { perSecond: number }): Promise<HttpResult>;
};

/** Opens a load generator: wrk for capacity where it can be had, and our own for fixed rates. */
export async function httpLoad(): Promise<HttpLoad> {
  const wrk: Unpacked | undefined = await findWrk();
  const own: Program = startProgram('./program-http.ts');
  return {
    name: wrk ? 'wrk' : 'a generator of our own (no wrk here)',
    closed: (job) => (wrk ? runWrk(wrk, job) : own.ask<HttpResult>(job)),
    paced: (job) => own.ask<HttpResult>(job),
    [Symbol.asyncDispose]: () => own[Symbol.asyncDispose](),
  };
}
