import { recent } from '@mayfly/build-store/recent';
import type { BuildReference } from '@mayfly/contracts/build-reference';
import { type ErrorCode, ServiceError } from '@mayfly/contracts/errors';
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
  /** Hears why a build that proved who it is got no token, where policy was the reason. */
  refused(build: BuildReference, error: unknown): void;
  nameRefused(name: NameKey, id: string | undefined, holder: string): void;
};

/** What policy refuses with, and whether the reason may be told: what a request was made of may be anything. */
const REFUSALS: Partial<Record<ErrorCode, { isTold: boolean }>> = {
  access_denied: { isTold: true },
  invalid_target: { isTold: true },
  invalid_request: { isTold: false },
};

/** How often a refusal is told of one build and for one reason, ms, and of how many of them it is known when it was: a build may ask without end. */
const TOLD_EVERY_MS = 60_000;
const MOST_TOLD = 10_000;

/** Takes a logger and a registry; gives the log of what was issued. It never shows more of a token than its jti. */
export function issueLog(log: Logger, metrics: Registry, clock = () => performance.now()): IssueLog {
  const told = recent<number>(MOST_TOLD);
  const registers = [metrics];
  const counter = new Counter({
    name: 'mayfly_tokens_issued_total',
    help: 'ID tokens issued, by how they were asked for.',
    labelNames: ['by'],
    registers,
  });
  const refusals = new Counter({
    name: 'mayfly_tokens_refused_total',
    help: 'ID tokens that policy refused to builds that run, by the code of the refusal.',
    labelNames: ['code'],
    registers,
  });
  for (const code of Object.keys(REFUSALS)) refusals.inc({ code }, 0);
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
    refused({ source, id, attempt }, error) {
      if (!(error instanceof ServiceError)) return;
      const { code, message } = error;
      const refusal = REFUSALS[code];
      if (!refusal) return;
      refusals.inc({ code });
      const key = `${source} ${id} ${attempt} ${code}`;
      const now = clock();
      if (now - (told.get(key) ?? Number.NEGATIVE_INFINITY) < TOLD_EVERY_MS) return;
      told.set(key, now);
      const reason = refusal.isTold ? { reason: message.slice(0, 512) } : {};
      log.warn({ source, buildId: id, attempt, code, ...reason }, 'token refused');
    },
    nameRefused(name, id, holder) {
      log.warn({ ...name, id, holder }, 'name refused');
      refusedNames.inc({ kind: name.kind });
    },
    granted({ build, grant, issued: all }, by) {
      for (const one of all) issued(build, one, by);
      for (const [name, { error }] of Object.entries(grant.data.id_token_errors ?? {})) {
        if (Object.hasOwn(REFUSALS, error)) refusals.inc({ code: error });
        log.warn(
          { source: build.source, buildId: build.build.id, name, code: error },
          'declared token refused',
        );
      }
    },
  };
}
