import Type, { type Static } from 'typebox';
import { checker } from './check.ts';
import { SourceName } from './names.ts';

const By = Type.Optional(Type.String({ maxLength: 128, description: 'Who asks, for the log.' }));
const LetterNumber = Type.Integer({
  minimum: 1,
  description: 'Which dead letter: its sequence in DEAD_LETTERS.',
});
const Source = Type.String({ description: 'The source that the event came from, by its event name.' });
const Time = Type.String({ description: 'When the event was refused, RFC 3339.' });
const EventName = Type.String({
  description: 'Where the event was published.',
  examples: ['ci.acme.build.started'],
});

const said = {
  event_name: EventName,
  seq: Type.Integer({ minimum: 1, description: 'Sequence of the event in BUILDS.' }),
  stored_at: Type.Integer({ description: 'When JetStream stored the event, ms since 1970.' }),
  error: Type.String({ description: 'Why it was refused, for programs.', examples: ['invalid_request'] }),
  error_description: Type.String({ description: 'Why it was refused, for people.' }),
  bytes: Type.Integer({ minimum: 0, description: 'How long the event was.' }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256 of the whole event.' }),
  is_whole: Type.Boolean({ description: 'Whether the body here is the whole event.' }),
};
const body = {
  body_base64: Type.String({ description: 'The event; of one over 64 KiB, the first KiB.' }),
};

/** `dead-letters.<source>`: an event that was refused for good: why, where it stands in BUILDS, and its body. */
export const DeadLetter = Type.Object({
  specversion: Type.Literal('1.0'),
  id: Type.String({ description: 'Random UUID of this event.' }),
  source: Source,
  type: Type.Literal('dev.mayfly.event.dead-lettered'),
  time: Time,
  data: Type.Object({ ...said, ...body }),
});
export type DeadLetter = Static<typeof DeadLetter>;

/** `admin.dead-letters.list`: which there are, oldest first. */
export const ListDeadLetters = Type.Object({
  source: Type.Optional(SourceName),
  after: Type.Optional(Type.Integer({ minimum: 0, description: 'Only those after this number.' })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '20 if left out.' })),
  by: By,
});

/** `admin.dead-letters.show` and `admin.dead-letters.replay`: one of them. */
export const OneDeadLetter = Type.Object({ number: LetterNumber, by: By });

const told = { number: LetterNumber, source: Source, time: Time, ...said };

/** The answer to `admin.dead-letters.list`. */
export const DeadLetterList = Type.Object({ dead_letters: Type.Array(Type.Object(told)) });
export type DeadLetterList = Static<typeof DeadLetterList>;

/** The answer to `admin.dead-letters.show`. */
export const ShownDeadLetter = Type.Object({ dead_letter: Type.Object({ ...told, ...body }) });
export type ShownDeadLetter = Static<typeof ShownDeadLetter>;

/** The answer to `admin.dead-letters.replay`. */
export const ReplayedDeadLetter = Type.Object({
  number: LetterNumber,
  event_name: EventName,
  seq: Type.Integer({ minimum: 1, description: 'Sequence in BUILDS of what was sent again.' }),
});
export type ReplayedDeadLetter = Static<typeof ReplayedDeadLetter>;

export const checkDeadLetter = checker(DeadLetter);
export const checkListDeadLetters = checker(ListDeadLetters);
export const checkOneDeadLetter = checker(OneDeadLetter);
