import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import type { Granted } from './grant.ts';

/** Logs and counts what was issued, and on whose request. */
export type Record = (granted: Granted, by: 'event' | 'grant request') => void;

/** Takes a logger and a counter; gives the function that keeps the two together. Never sees more of a token than its jti. */
export function recorder(log: Logger, counter: Counter<'by'>): Record {
  return ({ grant, issued }, by) => {
    for (const { jti, audience } of issued) {
      log.info({ source: grant.source, buildId: grant.data.id, jti, audience, by }, 'token issued');
      counter.inc({ by });
    }
    for (const [name, { error }] of Object.entries(grant.data.id_token_errors ?? {})) {
      log.warn({ source: grant.source, buildId: grant.data.id, name, code: error }, 'declared token refused');
    }
  };
}
