import type { BuildWriter } from '@mayfly/build-store/writer';
import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { checkHeartbeat, checkRevokeBuild } from '@mayfly/contracts/events';
import { readCommand } from '@mayfly/contracts/json';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { DeadLetters } from './dead-letters.ts';
import { type Announcer, endOf } from './record.ts';

type Commands = {
  nats: NatsConnection;
  sources: readonly string[];
  writer: Pick<BuildWriter, 'beat' | 'find'>;
  announce: Pick<Announcer, 'ended'>;
  deadLetters: DeadLetters;
  heartbeatMs(source: string): number | undefined;
  /** Says whether what Redis holds of builds is all that there is. */
  isFresh(): boolean;
  now(): number;
};

type Answer = (body: unknown, eventName: string) => Promise<object>;

/** Answers heartbeats, requests to end a build, and operators' commands, until the process stops. */
export function answerCommands(commands: Commands, resources: AsyncDisposableStack, log: Logger): void {
  const { nats, sources, deadLetters } = commands;
  const answer = (eventName: string, act: Answer, queue?: string) => {
    const subscription = nats.subscribe(eventName, {
      ...(queue ? { queue } : {}),
      callback: (error, message) => {
        if (error) return void log.error({ err: error, eventName }, 'requests cannot be heard');
        respond(message, act, log).catch((cause: unknown) =>
          log.error({ err: cause, eventName }, 'request failed'),
        );
      },
    });
    resources.defer(() => subscription.unsubscribe());
  };
  // Every replica hears each heartbeat: one that was lost with a replica would end builds that run.
  for (const source of sources) answer(EVENT_NAMES.heartbeat(source), (body) => beat(source, body, commands));
  const queue = 'build-lifecycle';
  answer(EVENT_NAMES.revokeBuild, (body) => revoke(body, 'leak', commands, log), queue);
  answer(EVENT_NAMES.adminBuilds('revoke'), (body) => revoke(body, 'operator', commands, log), queue);
  answer(EVENT_NAMES.adminDeadLetters('list'), (body) => deadLetters.list(body), queue);
  answer(EVENT_NAMES.adminDeadLetters('show'), (body) => deadLetters.show(body), queue);
  answer(EVENT_NAMES.adminDeadLetters('replay'), (body) => deadLetters.replay(body), queue);
}

/**
 * Takes a source and a heartbeat of it; puts off the end of the builds that it names, and says how many of them run and whether
 * any are expected. Throws `invalid_request`, or `temporarily_unavailable` where Redis does not take it.
 */
export async function beat(
  source: string,
  body: unknown,
  { writer, heartbeatMs }: Pick<Commands, 'writer' | 'heartbeatMs'>,
): Promise<object> {
  const { builds } = checkHeartbeat.parse(body);
  const nextMs = heartbeatMs(source);
  if (nextMs === undefined) return { running: 0, expected: false };
  const running = await writer.beat(
    builds.map((id) => ({ source, id })),
    nextMs,
  );
  return { running, expected: true };
}

async function revoke(
  body: unknown,
  reason: 'leak' | 'operator',
  commands: Commands,
  log: Logger,
): Promise<object> {
  const { source, id, attempt, by, note } = checkRevokeBuild.parse(body);
  const record = await commands.writer.find({ source, id });
  const isThere = record?.state === 'running' && (attempt === undefined || attempt === record.attempt);
  if (!isThere && !commands.isFresh()) throw unknown('the state of builds is not known just now');
  if (!isThere) throw new ServiceError('not_found', 'no such build runs');
  const life = { source, id, attempt: record.attempt };
  await commands.announce.ended(endOf(life, reason, commands.now()));
  log.warn({ source, buildId: id, attempt: record.attempt, reason, by, note }, 'build revoked');
  // Of builds that are read back one by one, a higher attempt may still be to come: what is there is ended all the same.
  if (attempt === undefined && !commands.isFresh())
    throw unknown(`attempt ${record.attempt} ends; whether a later one runs is not known just now`);
  return { ...life, reason };
}

/** What is not known yet must not be called nothing: whoever revokes would leave a build that runs. */
const unknown = (message: string) => new ServiceError('temporarily_unavailable', message);

async function respond(message: Msg, act: Answer, log: Logger): Promise<void> {
  const body = await answered(message, act).catch((error: unknown) => {
    if (!(error instanceof ServiceError))
      log.error({ err: error, eventName: message.subject }, 'request failed');
    const known = error instanceof ServiceError;
    return known
      ? { error: error.code, error_description: error.message }
      : { error: 'server_error', error_description: 'something went wrong on our side' };
  });
  message.respond(JSON.stringify(body));
}

async function answered(message: Msg, act: Answer): Promise<object> {
  return await act(readCommand(message.data), message.subject);
}
