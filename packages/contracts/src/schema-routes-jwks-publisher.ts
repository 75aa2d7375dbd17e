import Type from 'typebox';
import { PublicJwk } from './keys.ts';
import { BuildId } from './names.ts';
import { type Route, Seconds } from './schema-routes.ts';

const Metadata = Type.Object(
  {
    issuer: Type.String(),
    jwks_uri: Type.String(),
    token_endpoint: Type.String(),
    introspection_endpoint: Type.String(),
    status_list_aggregation_endpoint: Type.String(),
    id_token_signing_alg_values_supported: Type.Array(Type.String()),
  },
  { description: 'OpenID Connect Discovery §3, RFC 8414 §2; more members stand beside these.' },
);

const Introspection = Type.Object(
  {
    active: Type.Boolean(),
    build: Type.Optional(
      Type.Object({
        id: BuildId,
        attempt: Type.Integer({ minimum: 1 }),
        started_at: Seconds('When it started'),
        deadline: Seconds('When it ends at the latest'),
      }),
    ),
  },
  { description: 'RFC 7662 §2.2: of an active token, its claims and its build; of any other, that alone.' },
);

const attempt = Type.Integer({ minimum: 1 });
const BuildStatus = Type.Union([
  Type.Object({
    ...{ id: BuildId, attempt, state: Type.Literal('running') },
    ...{ started_at: Seconds('When it started'), deadline: Seconds('When it ends at the latest') },
  }),
  Type.Object({
    ...{ id: BuildId, attempt, state: Type.Literal('finished') },
    ...{ finished_at: Seconds('When it ended'), reason: Type.String() },
  }),
]);

const metadata = {
  methods: ['get'],
  answer: { status: 200, description: 'The metadata.', content: { 'application/json': Metadata } },
  errors: [],
} as const;

const verify = (path: string, summary: string): Route => ({
  methods: ['get', 'post', 'put', 'patch', 'delete'],
  path,
  summary,
  answer: {
    status: 200,
    description: 'The token is good; its identity stands in the headers that policy names.',
  },
  errors: ['invalid_token', 'access_denied', 'temporarily_unavailable'],
});

/** The addresses of `jwks-publisher`: each source's issuer is `<base URL>/<source>`. */
export const JWKS_PUBLISHER_ROUTES: readonly Route[] = [
  {
    ...metadata,
    path: '/{source}/.well-known/openid-configuration',
    summary: 'What a relying party needs to know of an issuer.',
  },
  {
    ...metadata,
    path: '/.well-known/oauth-authorization-server/{source}',
    summary: 'The same, where RFC 8414 looks for it.',
  },
  {
    methods: ['get'],
    path: '/{source}/jwks',
    summary: 'The public keys of an issuer (RFC 7517 §5).',
    answer: {
      status: 200,
      description: 'The key set.',
      content: { 'application/jwk-set+json': Type.Object({ keys: Type.Array(PublicJwk) }) },
    },
    errors: ['temporarily_unavailable'],
  },
  {
    methods: ['post'],
    path: '/{source}/introspect',
    summary: 'Says whether a token is active: its build runs, and it is meant for who asks (RFC 7662).',
    proof: 'relying party',
    body: {
      'application/x-www-form-urlencoded': Type.Object({
        token: Type.String(),
        one_time: Type.Optional(
          Type.Union([Type.Literal('true'), Type.Literal('false')], {
            description: 'Also consumes the token: it is active once.',
          }),
        ),
      }),
    },
    answer: {
      status: 200,
      description: 'Whether it is active.',
      content: { 'application/json': Introspection },
    },
    errors: ['invalid_request', 'invalid_client', 'slow_down', 'temporarily_unavailable'],
  },
  {
    methods: ['get'],
    path: '/{source}/builds/{id}',
    summary: 'Says whether a build runs.',
    proof: 'relying party',
    answer: { status: 200, description: 'Its state.', content: { 'application/json': BuildStatus } },
    errors: ['invalid_client', 'not_found', 'slow_down', 'temporarily_unavailable'],
  },
  {
    methods: ['get'],
    path: '/{source}/status-lists',
    summary: 'Where the status lists of an issuer are (OAuth Token Status List §9.3).',
    answer: {
      status: 200,
      description: 'Their URIs.',
      content: { 'application/json': Type.Object({ status_lists: Type.Array(Type.String()) }) },
    },
    errors: ['temporarily_unavailable'],
  },
  {
    methods: ['get'],
    path: '/{source}/status-lists/{list}',
    summary: 'One status list (OAuth Token Status List §8.1).',
    answer: {
      status: 200,
      description: 'A Status List Token.',
      content: { 'application/statuslist+jwt': Type.String() },
    },
    errors: ['not_found', 'temporarily_unavailable'],
  },
  {
    methods: ['get'],
    path: '/{source}/revocations',
    summary: 'Tells builds as they end: server-sent events, resumable by Last-Event-ID.',
    answer: {
      status: 200,
      description: 'Events build.finished, open and beat.',
      content: { 'text/event-stream': Type.String() },
    },
    errors: ['slow_down', 'temporarily_unavailable'],
  },
  verify('/{source}/verify', 'What a proxy asks where policy has one question, or one called default.'),
  verify('/{source}/verify/{name}', 'What a proxy asks of a bearer token before it lets a request pass.'),
  verify('/{source}/verify/{name}/{path}', 'The same, with the path of the request that the proxy holds.'),
];
