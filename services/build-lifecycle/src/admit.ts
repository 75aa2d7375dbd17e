import { EVENT_NAMES, MAX_EVENT_BYTES } from '@mayfly/contracts/bus';
import { digestOf } from '@mayfly/contracts/canonical';
import { durationSeconds } from '@mayfly/contracts/duration';
import { ServiceError } from '@mayfly/contracts/errors';
import {
  type AdmittedBuild,
  checkBuildEnded,
  checkBuildFinished,
  checkBuildStarted,
} from '@mayfly/contracts/events';
import { readJson } from '@mayfly/contracts/json';
import { POLICY_DEFAULTS, type Policy } from '@mayfly/contracts/policy';
import { MAX_EVENT_SKEW_MS } from '@mayfly/contracts/retention';
import { fromCdEvent, isCdEvent } from './cdevents.ts';

/** An event as JetStream has it: on which subject, where in the stream, since when (ms), and its bytes. */
export type StoredEvent = { eventName: string; seq: number; storedAt: number; data: Uint8Array };

/** What is told of an outcome to those who ask why a build ended. */
const OUTCOME = /^[A-Za-z_-]{1,32}$/;

/** What an event asks for, once it is believed. */
export type Admitted =
  | { kind: 'ignored' }
  | { kind: 'start'; build: AdmittedBuild }
  | { kind: 'finish'; source: string; id: string; attempt: number; reason: string; finishedAt: number };

/**
 * Takes an event and the policy; gives what it asks for. Throws a ServiceError that is not redelivered where the event
 * is too large, not of the shape, too old, or where its subject, type and source do not agree.
 */
export function admit(event: StoredEvent, policy: Policy): Admitted {
  if (event.data.byteLength > MAX_EVENT_BYTES) {
    throw new ServiceError('payload_too_large', 'the event is larger than 64 KiB');
  }
  const body = readJson(event.data, 'event');
  const [space, source = '', , verb] = event.eventName.split('.');
  if (space === 'ended') return admitEnd(body, event);
  const sourcePolicy = policy.sources[source];
  if (!sourcePolicy) throw new ServiceError('access_denied', 'the source is not in mayfly.yaml');
  const told = isCdEvent(body) ? fromCdEvent(body, source) : undefined;
  if (told?.kind === 'ignored') return { kind: 'ignored' };
  if (told && told.kind !== verb) {
    throw new ServiceError('invalid_request', 'the subject of the event and its type do not agree');
  }
  const ours = told?.event ?? body;
  if (verb === 'finished') return admitFinish(ours, event);
  return admitStart(ours, event, sourcePolicy.build_timeout ?? POLICY_DEFAULTS.build_timeout);
}

function admitStart(body: unknown, event: StoredEvent, allowed: string): Admitted {
  const { source, time, data } = checkBuildStarted.parse(body);
  agree(event, EVENT_NAMES.started(source));
  checkTime(event, time);
  const { build, id_tokens, reply } = data;
  const seconds = Math.min(build.timeout_seconds ?? Number.POSITIVE_INFINITY, durationSeconds(allowed));
  return {
    kind: 'start',
    build: {
      source,
      build,
      attempt: build.attempt ?? 1,
      ...(id_tokens ? { id_tokens } : {}),
      ...(reply ? { reply } : {}),
      seq: event.seq,
      digest: digest(data),
      started_at: event.storedAt,
      deadline: event.storedAt + seconds * 1000,
    },
  };
}

function admitFinish(body: unknown, event: StoredEvent): Admitted {
  // However late it is told: an end takes away and never gives, and what is dead-lettered would leave its build running.
  const { source, data } = checkBuildFinished.parse(body);
  agree(event, EVENT_NAMES.finished(source));
  const { id, attempt = 1, outcome = '' } = data;
  const reason = OUTCOME.test(outcome) ? outcome : 'finished';
  return { kind: 'finish', source, id, attempt, reason, finishedAt: event.storedAt };
}

function admitEnd(body: unknown, event: StoredEvent): Admitted {
  const { source, time, data } = checkBuildEnded.parse(body);
  agree(event, EVENT_NAMES.ended(source));
  checkTime(event, time);
  return { kind: 'finish', source, ...data, finishedAt: event.storedAt };
}

function agree({ eventName }: StoredEvent, expected: string): void {
  if (eventName !== expected) {
    throw new ServiceError('access_denied', 'the subject of the event and the source in it do not agree');
  }
}

/** A start from long ago must not come again after its end was forgotten. */
function checkTime({ storedAt }: StoredEvent, time: string): void {
  const happened = Date.parse(time);
  if (!(Math.abs(storedAt - happened) <= MAX_EVENT_SKEW_MS)) {
    throw new ServiceError(
      'invalid_request',
      'the time of the event is over an hour from when it was stored',
    );
  }
}

function digest(data: unknown): string {
  try {
    return digestOf(data);
  } catch (cause) {
    throw new ServiceError('invalid_request', 'the event holds text that is not well-formed', { cause });
  }
}
