import Type, { type Static } from 'typebox';
import { checker } from './check.ts';
import { SourceName } from './names.ts';
import { Algorithm } from './signing.ts';

const Base64Url = Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 1024 });
const common = { kid: Base64Url, alg: Algorithm, use: Type.Literal('sig') };

/** A public signing key (RFC 7517 §4): RSA or P-256, nothing private, nothing else. */
export const PublicJwk = Type.Union([
  Type.Object(
    { kty: Type.Literal('RSA'), n: Base64Url, e: Base64Url, ...common },
    { additionalProperties: false },
  ),
  Type.Object(
    { kty: Type.Literal('EC'), crv: Type.Literal('P-256'), x: Base64Url, y: Base64Url, ...common },
    { additionalProperties: false },
  ),
]);
export type PublicJwk = Static<typeof PublicJwk>;

const Reason = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,256}$' });
const Time = Type.Integer({ minimum: 0, description: 'Seconds since 1970.' });

/** What `key-manager` publishes for one source: the whole public key set, and which version of it this is. */
export const PublishedKeySet = Type.Object(
  {
    source: SourceName,
    version: Type.Integer({
      minimum: 1,
      description: 'Grows with each change; at least the time of the change, ms.',
    }),
    keys: Type.Array(PublicJwk, { minItems: 1, maxItems: 100 }),
    revoked: Type.Optional(
      Type.Array(Type.Object({ kid: Base64Url, reason: Reason, at: Time }, { additionalProperties: false }), {
        maxItems: 100,
        description: 'Keys that were revoked in the last 90 days.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type PublishedKeySet = Static<typeof PublishedKeySet>;

export const checkPublishedKeySet = checker(PublishedKeySet);

/** Who asks, as `mayfly` says it: for the log alone, nothing depends on it. */
const by = Type.String({ pattern: '^[^\\u0000-\\u001f\\u007f]{1,128}$' });

/** `admin.keys.list`: the keys of one source, or of all. */
export const ListKeys = Type.Object(
  { type: Type.Literal('dev.mayfly.admin.keys.list'), source: Type.Optional(SourceName), by },
  { additionalProperties: false },
);

/** `admin.keys.rotate`: the prepared key of a source becomes active, for one algorithm or for all. */
export const RotateKeys = Type.Object(
  {
    type: Type.Literal('dev.mayfly.admin.keys.rotate'),
    source: SourceName,
    alg: Type.Optional(Algorithm),
    by,
  },
  { additionalProperties: false },
);

/** `admin.keys.revoke`: a key is not used and not published any more. */
export const RevokeKey = Type.Object(
  { type: Type.Literal('dev.mayfly.admin.keys.revoke'), kid: Base64Url, reason: Reason, by },
  { additionalProperties: false },
);

/** What an operator is told of one key; never anything private. */
export const KeyFacts = Type.Object(
  {
    source: SourceName,
    kid: Base64Url,
    alg: Algorithm,
    state: Type.Union([
      Type.Literal('prepared'),
      Type.Literal('active'),
      Type.Literal('retired'),
      Type.Literal('revoked'),
    ]),
    prepared_at: Type.Optional(Time),
    published_at: Type.Optional(Time),
    activated_at: Type.Optional(Time),
    retired_at: Type.Optional(Time),
    revoked_at: Type.Optional(Time),
    reason: Type.Optional(Reason),
    next: Type.Optional(
      Type.Object({
        state: Type.Union([Type.Literal('active'), Type.Literal('retired'), Type.Literal('gone')]),
        at: Time,
      }),
    ),
  },
  { additionalProperties: false },
);
export type KeyFacts = Static<typeof KeyFacts>;

/** The answer to each of the three: the keys that were asked about, as they are now; or why not. */
export const KeysAnswer = Type.Union([
  Type.Object({ keys: Type.Array(KeyFacts) }),
  Type.Object({ error: Type.String(), error_description: Type.String(), not_before: Type.Optional(Time) }),
]);
export type KeysAnswer = Static<typeof KeysAnswer>;

export const checkListKeys = checker(ListKeys);
export const checkRotateKeys = checker(RotateKeys);
export const checkRevokeKey = checker(RevokeKey);
export const checkKeysAnswer = checker(KeysAnswer);
