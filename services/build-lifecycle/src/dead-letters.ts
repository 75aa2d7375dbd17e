import { randomUUID } from 'node:crypto';
import { EVENT_NAMES, STREAMS } from '@mayfly/contracts/bus';
import {
  checkListDeadLetters,
  checkOneDeadLetter,
  type DeadLetter,
  type DeadLetterList,
  type ReplayedDeadLetter,
  type ShownDeadLetter,
} from '@mayfly/contracts/dead-letters';
import { ServiceError } from '@mayfly/contracts/errors';
import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from 'pino';

/** What operators may do with events that were refused for good. Each takes a request and gives its answer. */
export type DeadLetters = {
  list(request: unknown): Promise<DeadLetterList>;
  show(request: unknown): Promise<ShownDeadLetter>;
  replay(request: unknown): Promise<ReplayedDeadLetter>;
};

/** Takes JetStream; gives the dead letters in it, by their number in their stream. */
export function deadLetters(js: JetStreamClient, jsm: JetStreamManager, log: Logger): DeadLetters {
  const read = async (seq: number, eventName: string) => {
    const message = await jsm.direct.getMessage(STREAMS.deadLetters, { seq, next_by_subj: eventName });
    return message ? { number: message.seq, letter: message.json<DeadLetter>() } : undefined;
  };
  const readOne = async (request: unknown) => {
    const { number, by } = checkOneDeadLetter.parse(request);
    const found = await read(number, EVENT_NAMES.deadLetter('*'));
    if (found?.number !== number)
      throw new ServiceError('not_found', 'there is no dead letter of that number');
    return { ...found, by };
  };
  return {
    async list(request) {
      const { source = '*', after = 0, limit = 20 } = checkListDeadLetters.parse(request);
      const letters: DeadLetterList['dead_letters'] = [];
      let next = after + 1;
      while (letters.length < limit) {
        const found = await read(next, EVENT_NAMES.deadLetter(source));
        if (!found) break;
        const { body_base64: _body, ...data } = found.letter.data;
        letters.push({ number: found.number, source: found.letter.source, time: found.letter.time, ...data });
        next = found.number + 1;
      }
      return { dead_letters: letters };
    },
    async show(request) {
      const { number, letter } = await readOne(request);
      return { dead_letter: { number, source: letter.source, time: letter.time, ...letter.data } };
    },
    async replay(request) {
      const { number, letter, by } = await readOne(request);
      const { event_name, body_base64, is_whole } = letter.data;
      if (!is_whole) throw new ServiceError('invalid_request', 'only the beginning of that event was kept');
      if (!event_name.startsWith('ci.'))
        throw new ServiceError('invalid_request', 'only events of a CI can be sent again');
      const { seq } = await js.publish(event_name, Buffer.from(body_base64, 'base64'), {
        msgID: randomUUID(),
        timeout: 2000,
      });
      log.warn({ number, eventName: event_name, seq, by }, 'dead letter sent again');
      return { number, event_name, seq };
    },
  };
}
