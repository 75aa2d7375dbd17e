import { EVENT_NAMES } from '@mayfly/contracts/bus';
import { ServiceError } from '@mayfly/contracts/errors';
import { readCommand } from '@mayfly/contracts/json';
import { checkListNames, checkReleaseName, type NameRecord } from '@mayfly/contracts/seen-names-schema';
import { finish } from '@mayfly/service-kit/bus';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from 'pino';
import type { NameStore } from './name-store.ts';

type Commands = { store: NameStore; now(): number; log: Logger };

/** Most records that one request looks at. */
const MOST_READ = 500;

/** The commands of operators, by verb: each takes the body of the request, and gives the answer. */
export const NAME_COMMANDS: Readonly<Record<string, (body: unknown, commands: Commands) => Promise<object>>> =
  {
    async list(body, { store }) {
      const { prefix = '', after = 0, limit = 100, ...which } = checkListNames.parse(body);
      const names: NameRecord[] = [];
      let revision = after;
      for (let read = 0; read < MOST_READ && names.length < limit; read++) {
        const found = await store.after(revision, which);
        if (!found) return { names };
        if (found.record.name.startsWith(prefix)) names.push(found.record);
        revision = found.revision;
      }
      return { names, next: revision };
    },

    async release(body, { store, now, log }) {
      const { source, kind, name, id, by, note } = checkReleaseName.parse(body);
      for (;;) {
        const found = await store.read({ source, kind, name });
        if (!found) throw new ServiceError('not_found', 'no build came with that name');
        const released = found.record.id;
        const record: NameRecord = { source, kind, name, ...(id === undefined ? {} : { id }), since: now() };
        if (released !== id && !(await store.replace(record, found.revision))) continue;
        log.warn({ source, kind, name, released, id, by, note }, 'name released');
        return { ...record, ...(released === undefined ? {} : { released }) };
      }
    },
  };

/** Answers operators' commands about names, until the process stops. */
export function answerNameCommands(
  nats: NatsConnection,
  commands: Commands,
  resources: AsyncDisposableStack,
): void {
  const { log } = commands;
  const respond = async (message: Msg) => message.respond(JSON.stringify(await answerTo(message, commands)));
  const inHand = new Set<Promise<unknown>>();
  const subscription = nats.subscribe(EVENT_NAMES.adminNames('*'), {
    queue: 'issuer',
    callback: (error, message) => {
      if (error) return void log.error({ err: error }, 'commands cannot be heard');
      const work = respond(message)
        .catch((cause: unknown) => log.error({ err: cause }, 'command not answered'))
        .finally(() => inHand.delete(work));
      inHand.add(work);
    },
  });
  resources.defer(() => finish(nats, [subscription], inHand));
}

async function answerTo({ subject, data }: Msg, commands: Commands): Promise<object> {
  const verb = subject.split('.').at(-1) as string;
  try {
    const command = Object.hasOwn(NAME_COMMANDS, verb) ? NAME_COMMANDS[verb] : undefined;
    if (!command) throw new ServiceError('invalid_request', 'there is no such command');
    return await command(readCommand(data), commands);
  } catch (error) {
    const isKnown = error instanceof ServiceError;
    commands.log[isKnown ? 'warn' : 'error']({ err: error, verb }, 'command refused');
    return isKnown
      ? { error: error.code, error_description: error.message }
      : { error: 'server_error', error_description: 'something went wrong on our side' };
  }
}
