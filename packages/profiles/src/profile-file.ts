import { checker } from '@mayfly/contracts/check';
import { VariableName } from '@mayfly/contracts/names';
import { MAX_BACKDATED_SECONDS } from '@mayfly/contracts/signing';
import Type, { type Static } from 'typebox';

const closed = { additionalProperties: false };
const Template = Type.String({ minLength: 1, maxLength: 512 });
const Path = Type.String({ pattern: '^[a-z_]+(\\.[a-z_]+)*(\\.\\*)?$' });
const Word = Type.String({ pattern: '^[a-z][a-z0-9_]{0,63}$' });
const Variables = Type.Array(VariableName, { maxItems: 8 });

const ClaimType = Type.Union([
  Type.Literal('string'),
  Type.Literal('integer'),
  Type.Literal('boolean'),
  Type.Literal('object'),
  Type.Literal('list'),
]);
/** The type that a claim has in a token. */
export type ClaimType = Static<typeof ClaimType>;

/** One claim: the path of its fact, or where its value comes from and how it looks. */
const Claim = Type.Union([
  Path,
  Type.Object(
    {
      from: Type.Optional(Type.Union([Path, Type.Array(Path, { minItems: 1, maxItems: 8 })])),
      members: Type.Optional(Type.Record(Word, Path, { minProperties: 1, maxProperties: 16, ...closed })),
      template: Type.Optional(Template),
      value: Type.Optional(Template),
      type: Type.Optional(ClaimType),
      required: Type.Optional(Type.Boolean()),
      absent: Type.Optional(Type.Unknown()),
    },
    closed,
  ),
]);
export type ClaimEntry = Static<typeof Claim>;

const Claims = Type.Record(Type.String({ pattern: '^[^\\s]{1,128}$' }), Claim, {
  maxProperties: 100,
  ...closed,
});

const Condition = Type.Record(
  Path,
  Type.Union([
    Type.Literal('present'),
    Type.Literal('absent'),
    Type.Array(Type.String(), { minItems: 1, maxItems: 16 }),
  ]),
  { minProperties: 1, maxProperties: 8, ...closed },
);

const Form = Type.Object({ when: Type.Optional(Condition), template: Template }, closed);
export type FormEntry = Static<typeof Form>;

/** The shape of a profile's file. */
export const ProfileFile = Type.Object(
  {
    name: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,63}$' }),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    subject: Type.Object(
      {
        separator: Type.Union([Type.Literal(':'), Type.Literal('/')]),
        escape: Type.Optional(Type.Union([Type.Literal('separator'), Type.Literal('strict')])),
        max_bytes: Type.Optional(Type.Integer({ minimum: 16, maximum: 1024 })),
        default: Type.Optional(Word),
        requestable: Type.Optional(Type.Array(Word, { maxItems: 32, uniqueItems: true })),
        alternates: Type.Record(
          Word,
          Type.Union([Template, Type.Array(Form, { minItems: 1, maxItems: 16 })]),
          { minProperties: 1, maxProperties: 32, ...closed },
        ),
      },
      closed,
    ),
    audience: Type.Object(
      {
        form: Type.Union([Type.Literal('string'), Type.Literal('array'), Type.Literal('asked')]),
        several: Type.Optional(Type.Boolean()),
        default: Type.Optional(Template),
      },
      closed,
    ),
    not_before_seconds: Type.Optional(Type.Integer({ minimum: 0, maximum: MAX_BACKDATED_SECONDS })),
    claims: Claims,
    optional_claims: Type.Optional(Claims),
    session_tags: Type.Optional(Type.Boolean()),
    fork_claim: Type.Optional(Type.String()),
    variables: Type.Object(
      {
        request_url: Type.Optional(Variables),
        request_token: Type.Optional(Variables),
        token: Type.Optional(Variables),
      },
      closed,
    ),
    reply: Type.Array(Word, { minItems: 1, maxItems: 4 }),
  },
  closed,
);
export type ProfileFile = Static<typeof ProfileFile>;

export const checkProfileFile = checker(ProfileFile);
