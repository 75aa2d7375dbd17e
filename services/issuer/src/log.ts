import type { AdmittedBuild } from '@mayfly/contracts/events';
import type { Logger } from 'pino';
import type { Counter } from 'prom-client';
import type { Granted } from './grant.ts';
import type { Issued } from './issue.ts';

/** On whose request a token was issued. */
export type Cause = 'event' | 'grant request' | 'request';

/** Logs and counts what was issued, together, so that the two cannot drift apart. */
export type IssueLog = {
  issued(build: AdmittedBuild, issued: Issued, by: Cause): void;
  granted(granted: Granted, by: Cause): void;
};

/** Takes a logger and a counter; gives the log of what was issued. It never shows more of a token than its jti. */
export function issueLog(log: Logger, counter: Counter<'by'>): IssueLog {
  const issued: IssueLog['issued'] = ({ source, build, attempt }, { jti, audience }, by) => {
    log.info({ source, buildId: build.id, attempt, jti, audience, by }, 'token issued');
    counter.inc({ by });
  };
  return {
    issued,
    granted({ build, grant, issued: all }, by) {
      for (const one of all) issued(build, one, by);
      for (const [name, { error }] of Object.entries(grant.data.id_token_errors ?? {})) {
        log.warn(
          { source: build.source, buildId: build.build.id, name, code: error },
          'declared token refused',
        );
      }
    },
  };
}
