import Type, { type Static } from 'typebox';
import { checker } from './check.ts';
import { SourceName } from './names.ts';

/** The signature algorithms of ID tokens (RFC 7518 §3.1). */
export const Algorithm = Type.Union([Type.Literal('RS256'), Type.Literal('ES256')]);
export type Algorithm = Static<typeof Algorithm>;

/** Furthest that a service's clock may be from NATS's or Redis's while it signs or issues, ms. */
export const MAX_CLOCK_OFFSET_MS = 5000;

/** How long before `iat` an `nbf` may lie at most, seconds. */
export const MAX_BACKDATED_SECONDS = 600;

/** Most signatures in one request. */
export const MAX_BATCH = 64;

/** One ID token to sign: all claims but `iss`, which `key-manager` adds. */
export const IdTokenToSign = Type.Object(
  {
    source: SourceName,
    alg: Algorithm,
    claims: Type.Record(Type.String({ maxLength: 128 }), Type.Unknown()),
  },
  { additionalProperties: false },
);
export type IdTokenToSign = Static<typeof IdTokenToSign>;

/** `keys.sign.id-token`: a batch. */
export const SignIdTokens = Type.Object(
  {
    type: Type.Literal('dev.mayfly.keys.sign.id-token'),
    tokens: Type.Array(IdTokenToSign, { minItems: 1, maxItems: MAX_BATCH }),
  },
  { additionalProperties: false },
);
export type SignIdTokens = Static<typeof SignIdTokens>;

/** Longest that a Status List Token may live, seconds: a key outlives what it signed. */
export const LONGEST_STATUS_LIST_SECONDS = 3600;

const Failure = Type.Object({ error: Type.String(), error_description: Type.String() });

/** The answer: one entry a token, in their order. */
export const SignedIdTokens = Type.Union([
  Type.Object({ results: Type.Array(Type.Union([Type.Object({ token: Type.String() }), Failure])) }),
  Failure,
]);
export type SignedIdTokens = Static<typeof SignedIdTokens>;

/** `keys.sign.status-list`: one Status List Token of a source (OAuth Token Status List §5.1), all claims but `iss`. */
export const SignStatusList = Type.Object(
  {
    type: Type.Literal('dev.mayfly.keys.sign.status-list'),
    source: SourceName,
    claims: Type.Object(
      {
        sub: Type.String({ maxLength: 1024, description: 'The URI of the list.' }),
        iat: Type.Integer({ minimum: 1 }),
        exp: Type.Integer({ minimum: 1 }),
        ttl: Type.Integer({ minimum: 1 }),
        status_list: Type.Object(
          {
            bits: Type.Literal(1),
            lst: Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 16_384 }),
            aggregation_uri: Type.Optional(Type.String({ maxLength: 1024 })),
          },
          { additionalProperties: false },
        ),
      },
      { additionalProperties: false },
    ),
  },
  { additionalProperties: false },
);
export type SignStatusList = Static<typeof SignStatusList>;

/** The answer: the signed list, or why not. */
export const SignedStatusList = Type.Union([Type.Object({ token: Type.String() }), Failure]);

export const checkSignStatusList = checker(SignStatusList);
export const checkSignedStatusList = checker(SignedStatusList);
export const checkSignIdTokens = checker(SignIdTokens);
export const checkSignedIdTokens = checker(SignedIdTokens);
