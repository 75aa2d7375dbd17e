import Type, { type Static } from 'typebox';
import { checker } from './check.ts';
import { DURATION_PATTERN, durationSeconds } from './duration.ts';
import { SourceName } from './names.ts';
import { Algorithm } from './signing.ts';

const duration = (description: string) => Type.String({ pattern: DURATION_PATTERN, description });
/** An address that others are appended to: no slash at its end, no query and no fragment. */
export const BASE_ADDRESS = '^https?://[^/?#\\s]+(/[^?#\\s]*[^/?#\\s])?$';
const HttpUrl = Type.String({ pattern: BASE_ADDRESS });

const Audience = Type.String({
  pattern: '^[^*\\s\\u0000-\\u001f\\u007f]{0,254}([^*\\s\\u0000-\\u001f\\u007f]|\\*)$',
  description: 'An audience, or the beginning of some, written with a `*` at its end.',
});
const Audiences = Type.Array(Audience, { minItems: 1, maxItems: 1000 });
const ClaimName = Type.String({ pattern: '^[^\\s\\u0000-\\u001f\\u007f]{1,128}$' });
const claimNames = (description: string) => Type.Array(ClaimName, { maxItems: 100, description });
const RepositoryPattern = Type.String({
  pattern: '^(id:[^\\s*]{1,128}|[^\\s*]{1,511}\\*?)$',
  description:
    'Name of a repository, the beginning of some with a `*`, or `id:` and its immutable id. Where groups hold groups, a beginning is anybody’s who comes to have the outermost name: take ids there.',
});

/** How signing keys are rotated. */
export const KeysPolicy = Type.Object(
  {
    publish_ahead: Type.Optional(
      duration('How long a key is published before it signs, such as 90s, 5m, 26h or 30d. Left out: 26h.'),
    ),
    rotate_every: Type.Optional(duration('How long a key signs. Left out: 30d.')),
    leeway: Type.Optional(
      duration(
        'What relying parties grant after exp: for so much longer a retired key stays published. Left out: 10m.',
      ),
    ),
  },
  { additionalProperties: false },
);
export type KeysPolicy = Static<typeof KeysPolicy>;

/** What one CI system may have. */
export const SourcePolicy = Type.Object(
  {
    profile: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9][a-z0-9-]{0,63}$',
        description: 'What tokens look like. Left out: mayfly.',
      }),
    ),
    audiences: Audiences,
    repository_audiences: Type.Optional(
      Type.Record(RepositoryPattern, Audiences, {
        additionalProperties: false,
        description: 'Audiences for some repositories only; a fork of one does not get them.',
      }),
    ),
    lifetime: Type.Optional(
      duration('How long a token is good where the build does not say: 10s at least. Left out: 5m.'),
    ),
    max_lifetime: Type.Optional(
      duration('Longest lifetime that a build may ask for, 2h at most. Left out: lifetime.'),
    ),
    max_tokens: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description: 'How many tokens a build may have. Left out: 1000.',
      }),
    ),
    build_timeout: Type.Optional(
      duration('A build that nobody finishes ends after this long, 30d at most. Left out: 6h.'),
    ),
    heartbeat: Type.Optional(
      Type.String({
        pattern: DURATION_PATTERN,
        description:
          'A running build that its CI has not named in a heartbeat for this long ends. Left out: none are expected.',
      }),
    ),
    forks: Type.Optional(
      Type.Union([Type.Literal('deny'), Type.Literal('allow')], {
        description: 'Whether builds of forks may have tokens. Left out: deny.',
      }),
    ),
    subject: Type.Optional(
      Type.String({
        description: "Which of the profile's subjects tokens have. Left out: the profile's default.",
      }),
    ),
    subject_claims: Type.Optional(
      claimNames('Subjects that a build may ask for. Left out: all that the profile has for that.'),
    ),
    optional_claims: Type.Optional(
      claimNames('Optional claims that a build may ask for. Left out: all that the profile has.'),
    ),
    session_tags: Type.Optional(
      claimNames(
        'Claims that a build may ask for as AWS session tags. Left out: all, where the profile has session tags.',
      ),
    ),
    subject_limits: Type.Optional(
      Type.Record(Audience, Type.Integer({ minimum: 16, maximum: 1024 }), {
        additionalProperties: false,
        description:
          'Longest subject that an audience takes, bytes. Left out: what Google and Microsoft say of theirs.',
      }),
    ),
    algorithms: Type.Optional(
      Type.Record(Audience, Algorithm, {
        additionalProperties: false,
        description: 'Signature algorithm by audience. Left out: RS256, which every cloud takes.',
      }),
    ),
    keys: Type.Optional(KeysPolicy),
  },
  { additionalProperties: false },
);

/** Who may introspect, and for which audiences. */
export const RelyingPartyPolicy = Type.Object(
  { audiences: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), { minItems: 1 }) },
  { additionalProperties: false },
);

/** What a proxy asks at `<issuer>/verify/<name>`, and what it is told of the token. */
export const VerifyPolicy = Type.Object(
  {
    audience: Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'The audience that tokens must have.',
    }),
    claims: Type.Optional(
      Type.Record(
        ClaimName,
        Type.Union([
          Type.String({ maxLength: 1024 }),
          Type.Array(Type.String({ maxLength: 1024 }), { minItems: 1, maxItems: 1000 }),
        ]),
        {
          additionalProperties: false,
          description: 'Claims that tokens must have, each with one of these values.',
        },
      ),
    ),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: '^[Xx]-[A-Za-z0-9-]{1,62}$' }), ClaimName, {
        additionalProperties: false,
        description: 'Identity headers, each with the claim that it says.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type VerifyPolicy = Static<typeof VerifyPolicy>;

/** The shape of `mayfly.yaml`. */
export const Policy = Type.Object(
  {
    base_url: Type.Optional(HttpUrl),
    request_url: Type.Optional(HttpUrl),
    profiles: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        pattern: '^[^\\u0000-\\u001f\\u007f]+$',
        description:
          'Folder of profiles of your own, from where mayfly.yaml is; those that ship need not be in it.',
        examples: ['profiles'],
      }),
    ),
    keys: Type.Optional(KeysPolicy),
    sources: Type.Record(SourceName, SourcePolicy, {
      minProperties: 1,
      maxProperties: 1000,
      additionalProperties: false,
    }),
    relying_parties: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z0-9]{1,64}$' }), RelyingPartyPolicy, {
        additionalProperties: false,
      }),
    ),
    verify: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,31}$' }), VerifyPolicy, {
        additionalProperties: false,
        description: 'What proxies ask, each by its name.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type Policy = Static<typeof Policy>;
export type SourcePolicy = Static<typeof SourcePolicy>;

export const checkPolicy = checker(Policy);

/** What holds where `mayfly.yaml` says nothing; the ceiling on lifetime is then the lifetime itself. */
export const POLICY_DEFAULTS = {
  profile: 'mayfly',
  lifetime: '5m',
  build_timeout: '6h',
  max_tokens: 1000,
  forks: 'deny',
} as const;

/** How signing keys are rotated where `mayfly.yaml` does not say. */
export const KEYS_DEFAULTS = {
  publish_ahead: '26h',
  rotate_every: '30d',
  leeway: '10m',
} as const satisfies Required<KeysPolicy>;

/** Takes the policy and a source; gives how long a key of the source is published before it signs, seconds. */
export function publishAheadSeconds({ keys, sources }: Policy, source: string): number {
  return durationSeconds({ ...KEYS_DEFAULTS, ...keys, ...sources[source]?.keys }.publish_ahead);
}

/** Longest lifetime that any policy may give a token, seconds. */
export const LONGEST_LIFETIME_SECONDS = 7200;
