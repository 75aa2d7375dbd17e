import Type, { type Static } from 'typebox';
import { Build } from './build.ts';
import { checker } from './check.ts';
import { BuildId, ReplyName, SourceName, VariableName } from './names.ts';

const closed = { additionalProperties: false };

const Audience = Type.String({ minLength: 1, maxLength: 255 });
const Audiences = Type.Array(Audience, { minItems: 1, maxItems: 10 });

/** One declared token: GitLab's `id_tokens` entry. */
export const DeclaredToken = Type.Object({ aud: Type.Union([Audience, Audiences]) }, closed);

/** What a build declares: environment variable → token. An empty object asks for a grant without a token. */
export const DeclaredTokens = Type.Record(VariableName, DeclaredToken, { maxProperties: 20, ...closed });
export type DeclaredTokens = Static<typeof DeclaredTokens>;

const Envelope = <Type_ extends string>(type: Type_) => ({
  specversion: Type.Literal('1.0'),
  id: Type.String({
    minLength: 1,
    maxLength: 128,
    description: 'Random UUID of this event; its Nats-Msg-Id.',
  }),
  source: SourceName,
  type: Type.Literal(type),
  time: Type.String({
    pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d{1,9})?(Z|[+-]\\d\\d:\\d\\d)$',
    description: 'When it happened, RFC 3339.',
  }),
  datacontenttype: Type.Optional(Type.Literal('application/json')),
});

/** `ci.<source>.build.started`: a CI says that a build runs, with its facts and what it declares. */
export const BuildStarted = Type.Object(
  {
    ...Envelope('dev.mayfly.ci.build.started'),
    data: Type.Object(
      {
        build: Build,
        id_tokens: Type.Optional(DeclaredTokens),
        reply: Type.Optional(ReplyName),
      },
      closed,
    ),
  },
  closed,
);
export type BuildStarted = Static<typeof BuildStarted>;

/** How a build ended, in the words of its CI; an end counts however it is told. */
const Outcome = Type.String({
  maxLength: 1024,
  description: 'How it ended: up to 32 letters, `_` and `-`. What is written otherwise counts as `finished`.',
});

/** `ci.<source>.build.finished`: a CI says that a build is over. */
export const BuildFinished = Type.Object(
  {
    ...Envelope('dev.mayfly.ci.build.finished'),
    data: Type.Object(
      {
        id: BuildId,
        attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
        outcome: Type.Optional(Outcome),
      },
      closed,
    ),
  },
  closed,
);
export type BuildFinished = Static<typeof BuildFinished>;

/** Why a build ended that no CI finished. */
export const EndReason = Type.Union([
  Type.Literal('conflict'),
  Type.Literal('deadline'),
  Type.Literal('heartbeat'),
  Type.Literal('leak'),
  Type.Literal('operator'),
]);

/** How many builds one heartbeat names at most. */
export const MOST_BUILDS_A_HEARTBEAT = 1000;

/** `ci.<source>.heartbeat`: a CI says, in one request, that these builds still run. */
export const Heartbeat = Type.Object(
  { builds: Type.Array(BuildId, { minItems: 1, maxItems: MOST_BUILDS_A_HEARTBEAT }) },
  closed,
);
export type Heartbeat = Static<typeof Heartbeat>;

/** `builds.revoke` and `admin.builds.revoke`: end a running build. Without an attempt, the one that runs. */
export const RevokeBuild = Type.Object(
  {
    source: SourceName,
    id: BuildId,
    attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })),
    by: Type.Optional(Type.String({ maxLength: 128, description: 'Who asks, for the log.' })),
    note: Type.Optional(Type.String({ maxLength: 512, description: 'Why, for the log.' })),
  },
  closed,
);
export type RevokeBuild = Static<typeof RevokeBuild>;

/** `ended.<source>`: `build-lifecycle` says that a build is over though no CI did. */
export const BuildEnded = Type.Object(
  {
    ...Envelope('dev.mayfly.build.ended'),
    data: Type.Object(
      { id: BuildId, attempt: Type.Integer({ minimum: 1, maximum: 65535 }), reason: EndReason },
      closed,
    ),
  },
  closed,
);
export type BuildEnded = Static<typeof BuildEnded>;

/** What a started build is, once admitted: what every token of it is made from. */
export const AdmittedBuild = Type.Object(
  {
    source: SourceName,
    build: Build,
    attempt: Type.Integer({ minimum: 1 }),
    id_tokens: Type.Optional(DeclaredTokens),
    reply: Type.Optional(ReplyName),
    seq: Type.Integer({ minimum: 1, description: 'Sequence of its start in BUILDS.' }),
    digest: Type.String({ description: 'SHA-256 of the admitted start, base64url.' }),
    started_at: Type.Integer({ description: 'When JetStream stored the start, ms since 1970.' }),
    deadline: Type.Integer({ description: 'When the build ends if nobody finishes it, ms since 1970.' }),
  },
  closed,
);
export type AdmittedBuild = Static<typeof AdmittedBuild>;

/** How many builds one announcement names at most: what an issuer takes in hand with one message. */
export const MOST_BUILDS_AN_ANNOUNCEMENT = 8;

const RunningBuild = Type.Object(
  {
    id: BuildId,
    attempt: Type.Integer({ minimum: 1 }),
    is_awaited: Type.Boolean({ description: 'Whether its CI waits for tokens that it declares.' }),
  },
  closed,
);
export type RunningBuild = Static<typeof RunningBuild>;

/**
 * `build.running`, on LIFECYCLE: builds of one source are on record as running, those that were recorded together. What they
 * are stands in their records, not here.
 */
export const BuildRunning = Type.Object(
  {
    ...Envelope('dev.mayfly.build.running'),
    data: Type.Object(
      { builds: Type.Array(RunningBuild, { minItems: 1, maxItems: MOST_BUILDS_AN_ANNOUNCEMENT }) },
      closed,
    ),
  },
  closed,
);
export type BuildRunning = Static<typeof BuildRunning>;

/** `build.finished`, on LIFECYCLE: a build is on record as finished, for good. */
export const BuildFinal = Type.Object(
  {
    ...Envelope('dev.mayfly.build.finished'),
    data: Type.Object(
      {
        id: BuildId,
        attempt: Type.Integer({ minimum: 1 }),
        reason: Type.String({ maxLength: 32 }),
        finished_at: Type.Integer({ description: 'When JetStream stored its end, ms since 1970.' }),
        seq: Type.Optional(
          Type.Integer({ description: 'Sequence of its start in BUILDS, if that was seen.' }),
        ),
      },
      closed,
    ),
  },
  closed,
);
export type BuildFinal = Static<typeof BuildFinal>;

const variableNames = (description: string) =>
  Type.Array(VariableName, { maxItems: 8, description, examples: [['ACME_ID_TOKEN']] });

/** Names that environment variables have on the runners of a source, by its profile. */
export const GrantVariables = Type.Object(
  {
    request_url: variableNames('Of the address for more tokens.'),
    request_token: variableNames('Of the request token, each beside the address of the same place.'),
    token: variableNames('Of the token of a build that declares one, besides the name that it declares.'),
  },
  { description: 'Names that environment variables have on a runner, by the profile of the source.' },
);
export type GrantVariables = Static<typeof GrantVariables>;

/** `tokens.<source>.<reply>` and the answer to `ci.<source>.grant`: a build's tokens, and the way to more. */
export const TokenGrant = Type.Object(
  {
    ...Envelope('dev.mayfly.tokens.granted'),
    data: Type.Object({
      id: BuildId,
      attempt: Type.Integer({ minimum: 1 }),
      id_tokens: Type.Record(VariableName, Type.String(), closed),
      id_token_errors: Type.Optional(
        Type.Record(VariableName, Type.Object({ error: Type.String(), error_description: Type.String() }), {
          additionalProperties: false,
          description: 'Why a declared token was not issued.',
        }),
      ),
      expires_at: Type.Optional(
        Type.Integer({ description: 'When the first of the tokens expires, s since 1970.' }),
      ),
      id_token_request_url: Type.String({ description: 'Already holds a `?`: append `&audience=…`.' }),
      id_token_request_token: Type.String(),
      variables: Type.Optional(GrantVariables),
      deadline: Type.Integer({ description: 'When the build ends at the latest, s since 1970.' }),
    }),
  },
  closed,
);
export type TokenGrant = Static<typeof TokenGrant>;

/** `ci.<source>.grant`: a CI asks again for the grant of a running build. */
export const GrantRequest = Type.Object(
  { id: BuildId, attempt: Type.Optional(Type.Integer({ minimum: 1, maximum: 65535 })) },
  closed,
);
export type GrantRequest = Static<typeof GrantRequest>;

export const checkBuildStarted = checker(BuildStarted);
export const checkBuildFinished = checker(BuildFinished);
export const checkHeartbeat = checker(Heartbeat);
export const checkRevokeBuild = checker(RevokeBuild);
export const checkBuildEnded = checker(BuildEnded);
export const checkBuildRunning = checker(BuildRunning);
export const checkBuildFinal = checker(BuildFinal);
export const checkGrantRequest = checker(GrantRequest);
export const checkTokenGrant = checker(TokenGrant);
