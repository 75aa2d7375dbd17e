import type { AdmittedBuild } from '@mayfly/contracts/events';
import type { Logger } from 'pino';
import { Counter, type Registry } from 'prom-client';
import type { Granted } from './grant.ts';
import type { Issued } from './issue.ts';
import type { NameKey } from './name-store.ts';

/** On whose request a token was issued. */
export type Cause = 'event' | 'grant request' | 'request';

/** Logs and counts what was issued, together, so that the two cannot drift apart. */
export type IssueLog = {
  issued(build: AdmittedBuild, issued: Issued, by: Cause): void;
  granted(granted: Granted, by: Cause): void;
  nameRefused(name: NameKey, id: string | undefined, holder: string): void;
};

/** Takes a logger and a registry; gives the log of what was issued. It never shows more of a token than its jti. */
export function issueLog(log: Logger, metrics: Registry): IssueLog {
  const registers = [metrics];
  const counter = new Counter({
    name: 'mayfly_tokens_issued_total',
    help: 'ID tokens issued, by how they were asked for.',
    labelNames: ['by'],
    registers,
  });
  const refusedNames = new Counter({
    name: 'mayfly_names_refused_total',
    help: "Requests for tokens refused because a name in them is another's.",
    labelNames: ['kind'],
    registers,
  });
  const issued: IssueLog['issued'] = ({ source, build, attempt }, { jti, audience }, by) => {
    log.info({ source, buildId: build.id, attempt, jti, audience, by }, 'token issued');
    counter.inc({ by });
  };
  return {
    issued,
    nameRefused(name, id, holder) {
      log.warn({ ...name, id, holder }, 'name refused');
      refusedNames.inc({ kind: name.kind });
    },
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
