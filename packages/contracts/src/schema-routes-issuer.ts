import Type from 'typebox';
import { GrantRequest, TokenGrant } from './events.ts';
import { type Route, Seconds } from './schema-routes.ts';

const list = (description: string) => ({
  description,
  examples: ['actor_email task'],
  anyOf: [Type.String(), Type.Array(Type.String())],
});

/** What a runner may ask for at `/token`, in the query, a form or JSON. */
export const TokenWish = {
  audience: Type.Union([Type.String(), Type.Array(Type.String())], {
    description: 'Whom the token is for; several only where the profile allows it, its default if left out.',
    examples: ['https://vault.example.com'],
  }),
  lifetime: Type.Union([Type.Integer({ minimum: 10 }), Type.String({ pattern: '^[0-9]{1,9}$' })], {
    description: 'Seconds that the token lives, as far as policy allows.',
    examples: [600],
  }),
  subject_claim: Type.String({
    description: "One of the profile's subjects that may be asked for.",
    examples: ['repository'],
  }),
  claims: Type.Unsafe<string | string[]>(list('Optional claims, parted by spaces or commas.')),
  aws_session_tags: Type.Unsafe<string | string[]>(
    list('Claims that AWS shall see as session tags, at most 50.'),
  ),
};

/** The grant by which a stock client asks for a token (RFC 8693 §2.1), and the type of what it gets (§3). */
export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ID_TOKEN_TYPE = 'urn:ietf:params:oauth:token-type:id_token';

const wish = Type.Partial(Type.Object(TokenWish), { additionalProperties: false });

const exchange = Type.Object(
  {
    grant_type: Type.Literal(TOKEN_EXCHANGE),
    subject_token: Type.String({ description: 'The request token; it stands here alone, not in a header.' }),
    subject_token_type: Type.Optional(Type.String()),
    requested_token_type: Type.Optional(Type.Literal(ID_TOKEN_TYPE)),
    scope: Type.Optional(Type.String()),
    ...Object.fromEntries(Object.entries(TokenWish).map(([name, schema]) => [name, Type.Optional(schema)])),
  },
  { description: 'A token exchange, RFC 8693 §2.1.' },
);

const Exchanged = Type.Object(
  {
    access_token: Type.String({ description: 'The ID token.' }),
    issued_token_type: Type.Literal(ID_TOKEN_TYPE),
    token_type: Type.Literal('N_A'),
    expires_in: Type.Integer({ minimum: 0, description: 'Seconds that it lives.' }),
  },
  { description: 'To an exchange, RFC 8693 §2.2.1.' },
);

const Token = Type.Object(
  {
    value: Type.String({ description: 'The ID token.' }),
    token: Type.String({ description: 'The same.' }),
    expires_at: Seconds('When it expires'),
  },
  { description: "And the field in which the runners of the source's system look for it." },
);

const refusals = ['invalid_request', 'invalid_target', 'invalid_token', 'access_denied'] as const;

/** The addresses of `issuer`. */
export const ISSUER_ROUTES: readonly Route[] = [
  {
    methods: ['get'],
    path: '/token',
    summary:
      'Gets an ID token for the running build whose request token is shown. Everything may be asked for once, lists apart; anything else but api-version, which means nothing, is refused.',
    proof: 'request token',
    query: TokenWish,
    answer: { status: 200, description: 'The ID token.', content: { 'application/json': Token } },
    errors: [...refusals, 'temporarily_unavailable'],
  },
  {
    methods: ['post'],
    path: '/token',
    summary:
      'The same, asked for in the body; or a token exchange, whose subject_token is the request token.',
    proof: 'request token',
    body: {
      'application/json': Type.Union([wish, exchange]),
      'application/x-www-form-urlencoded': Type.Union([wish, exchange]),
    },
    answer: {
      status: 200,
      description: 'The ID token.',
      content: { 'application/json': Type.Union([Token, Exchanged]) },
    },
    errors: [
      ...refusals,
      'unsupported_grant_type',
      'payload_too_large',
      'unsupported_media_type',
      'temporarily_unavailable',
    ],
  },
  {
    methods: ['post'],
    path: '/grant',
    summary: 'Gets the grant of a running build again: every token that it declares, and the way to more.',
    proof: 'source',
    body: { 'application/json': GrantRequest },
    answer: { status: 200, description: 'The grant.', content: { 'application/json': TokenGrant } },
    errors: ['invalid_request', 'invalid_client', 'access_denied', 'not_found', 'temporarily_unavailable'],
  },
  {
    methods: ['post'],
    path: '/leak',
    summary: 'Ends the build whose request token is shown, because a token of it leaked.',
    proof: 'request token',
    body: {
      'application/json': Type.Object({ reason: Type.Optional(Type.String({ maxLength: 512 })) }),
    },
    answer: {
      status: 202,
      description: 'The build is ending.',
      content: { 'application/json': Type.Object({ status: Type.Literal('ending') }) },
    },
    errors: ['invalid_token', 'not_found', 'temporarily_unavailable'],
  },
];
