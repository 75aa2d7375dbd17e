import Type, { type Static } from 'typebox';
import { checker } from './check.ts';
import { SourceName } from './names.ts';

const closed = { additionalProperties: false };

/** What has a name that another may come to bear, and an id that no other ever has. */
export const NameKind = Type.Union([
  Type.Literal('enterprise'),
  Type.Literal('organization'),
  Type.Literal('owner'),
  Type.Literal('repository'),
  Type.Literal('person'),
  Type.Literal('pipeline'),
  Type.Literal('workflow'),
  Type.Literal('project'),
  Type.Literal('environment'),
  Type.Literal('cluster'),
]);
export type NameKind = Static<typeof NameKind>;

/** How long a name may be, characters: a longer one has to stand under a digest. */
export const LONGEST_NAME = 8192;

const Name = Type.String({ minLength: 1, maxLength: LONGEST_NAME });
const Id = Type.String({ minLength: 1, maxLength: 128, pattern: '^[^\\u0000-\\u001f\\u007f]*$' });
const By = Type.Optional(Type.String({ maxLength: 128, description: 'Who asks, for the log.' }));
const Time = Type.Integer({ minimum: 0, description: 'Seconds since 1970.' });

/** Whose a name is: what stands in the bucket `names`. Without an id it is free for the next that is seen. */
export const NameRecord = Type.Object(
  { source: SourceName, kind: NameKind, name: Name, id: Type.Optional(Id), since: Time },
  closed,
);
export type NameRecord = Static<typeof NameRecord>;

/** `admin.names.list`: names and whose they are, in the order in which that was last decided. */
export const ListNames = Type.Object(
  {
    source: Type.Optional(SourceName),
    kind: Type.Optional(NameKind),
    prefix: Type.Optional(Name),
    after: Type.Optional(Type.Integer({ minimum: 0, description: 'What the answer before said as `next`.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
    by: By,
  },
  closed,
);
export type ListNames = Static<typeof ListNames>;

/** `admin.names.release`: a name may go to another id; to the next that is seen, unless it is said which. */
export const ReleaseName = Type.Object(
  {
    source: SourceName,
    kind: NameKind,
    name: Name,
    id: Type.Optional(Id),
    by: By,
    note: Type.Optional(Type.String({ maxLength: 512, description: 'Why, for the log.' })),
  },
  closed,
);
export type ReleaseName = Static<typeof ReleaseName>;

export const checkNameRecord = checker(NameRecord);
export const checkListNames = checker(ListNames);
export const checkReleaseName = checker(ReleaseName);
