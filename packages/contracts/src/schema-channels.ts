import Type, { type TSchema } from 'typebox';
import { CONSUMERS, EVENT_NAMES, STREAMS } from './bus.ts';
import {
  DeadLetter,
  DeadLetterList,
  ListDeadLetters,
  OneDeadLetter,
  ReplayedDeadLetter,
  ShownDeadLetter,
} from './dead-letters.ts';
import {
  BuildEnded,
  BuildFinal,
  BuildFinished,
  BuildRunning,
  BuildStarted,
  GrantRequest,
  Heartbeat,
  RevokeBuild,
  TokenGrant,
} from './events.ts';
import { KeysAnswer, ListKeys, PublishedKeySet, RevokeKey, RotateKeys } from './keys.ts';
import { Failure } from './schema-routes.ts';
import { ListNames, NameRecord, ReleaseName } from './seen-names-schema.ts';
import { SignedIdTokens, SignedStatusList, SignIdTokens, SignStatusList } from './signing.ts';

/** Who speaks over NATS. */
export type Party = 'ci' | 'operator' | 'build-lifecycle' | 'issuer' | 'key-manager' | 'jwks-publisher';

/** One event name: what is published there, who says it and who hears it. */
export type Channel = {
  name: string;
  /** With `{source}` and `{reply}` for what differs. */
  address: string;
  summary: string;
  from: readonly Party[];
  to: readonly Party[];
  payload: TSchema;
  /** The answer, where it is a request. */
  answer?: TSchema;
  /** The stream that keeps it. */
  stream?: string;
  consumer?: string;
};

const { builds, lifecycle, deadLetters } = STREAMS;
const or = (answer: TSchema) => Type.Union([answer, Failure]);
const source = '{source}';

/** What JetStream is asked, and answers, as far as it is used. */
const ReadKeySet = Type.Object({
  last_by_subj: Type.String({ description: 'Of a source: `$KV.key-sets.<source>`.' }),
});
const StoredKeySet = Type.Object({
  message: Type.Optional(
    Type.Object({ data: Type.String({ description: 'The public key set as it was announced, in base64.' }) }),
  ),
  error: Type.Optional(Type.Object({ code: Type.Integer({ description: '404: there is none.' }) })),
});

/** What a CI system says and hears. */
const OF_A_CI: readonly Channel[] = [
  {
    name: 'buildStarted',
    address: EVENT_NAMES.started(source),
    summary: 'A build runs: its facts, and the tokens that it declares.',
    ...{ from: ['ci', 'build-lifecycle'], to: ['build-lifecycle'], payload: BuildStarted },
    ...{ stream: builds, consumer: CONSUMERS.starts },
  },
  {
    name: 'buildFinished',
    address: EVENT_NAMES.finished(source),
    summary: 'A build is over.',
    ...{ from: ['ci', 'build-lifecycle'], to: ['build-lifecycle'], payload: BuildFinished },
    ...{ stream: builds, consumer: CONSUMERS.ends },
  },
  {
    name: 'heartbeat',
    address: EVENT_NAMES.heartbeat(source),
    summary: 'These builds still run.',
    ...{ from: ['ci'], to: ['build-lifecycle'], payload: Heartbeat },
    answer: or(Type.Object({ running: Type.Integer({ minimum: 0 }), expected: Type.Boolean() })),
  },
  {
    name: 'grantRequest',
    address: EVENT_NAMES.grant(source),
    summary: 'Asks for the grant of a running build again.',
    ...{ from: ['ci'], to: ['issuer'], payload: GrantRequest, answer: or(TokenGrant) },
  },
  {
    name: 'tokensGranted',
    address: EVENT_NAMES.tokens(source, '{reply}'),
    summary: 'The tokens of a build that started, and the way to more.',
    ...{ from: ['issuer'], to: ['ci'], payload: TokenGrant },
  },
];

const AMONG_SERVICES: readonly Channel[] = [
  {
    name: 'buildEnded',
    address: EVENT_NAMES.ended(source),
    summary: 'A build is over though no CI said so.',
    ...{ from: ['build-lifecycle'], to: ['build-lifecycle'], payload: BuildEnded },
    ...{ stream: builds, consumer: CONSUMERS.ends },
  },
  {
    name: 'buildIsRunning',
    address: EVENT_NAMES.buildRunning,
    summary: 'Builds of one source are on record as running.',
    ...{ from: ['build-lifecycle'], to: ['issuer'], payload: BuildRunning },
    ...{ stream: lifecycle, consumer: CONSUMERS.issuer },
  },
  {
    name: 'buildIsFinished',
    address: EVENT_NAMES.buildFinished,
    summary: 'A build is on record as finished, for good.',
    ...{ from: ['build-lifecycle'], to: ['jwks-publisher'], payload: BuildFinal, stream: lifecycle },
  },
  {
    name: 'buildFinishedIsStored',
    address: EVENT_NAMES.buildFinishedStored,
    summary:
      'The same again by the NATS server, once LIFECYCLE has it: its place in the headers Nats-Sequence and Nats-Last-Sequence.',
    ...{ from: [], to: ['jwks-publisher'], payload: BuildFinal },
  },
  {
    name: 'deadLetter',
    address: EVENT_NAMES.deadLetter(source),
    summary: 'An event that was refused for good, with the reason.',
    ...{ from: ['build-lifecycle'], to: ['operator'], payload: DeadLetter, stream: deadLetters },
  },
  {
    name: 'revokeBuild',
    address: EVENT_NAMES.revokeBuild,
    summary: 'End a build: its request token leaked.',
    ...{ from: ['issuer'], to: ['build-lifecycle'], payload: RevokeBuild, answer: or(RevokeBuild) },
  },
  {
    name: 'signIdTokens',
    address: EVENT_NAMES.signIdToken,
    summary: 'Sign these ID tokens.',
    ...{ from: ['issuer'], to: ['key-manager'], payload: SignIdTokens, answer: SignedIdTokens },
  },
  {
    name: 'signStatusList',
    address: EVENT_NAMES.signStatusList,
    summary: 'Sign this status list.',
    ...{ from: ['jwks-publisher'], to: ['key-manager'], payload: SignStatusList, answer: SignedStatusList },
  },
  {
    name: 'keySetChanged',
    address: EVENT_NAMES.keySetChanged(source),
    summary: 'The public key set of a source, whole.',
    ...{ from: ['key-manager'], to: ['jwks-publisher'], payload: PublishedKeySet },
  },
  {
    name: 'readKeySet',
    address: EVENT_NAMES.readKeySet,
    summary:
      'Asks for the public key set of a source, in the bucket of that name: STREAM.MSG.GET of JetStream, by its leader.',
    ...{ from: ['jwks-publisher'], to: ['key-manager'], payload: ReadKeySet, answer: StoredKeySet },
  },
];

const command = (
  name: string,
  address: string,
  to: Party,
  [payload, answer]: readonly [TSchema, TSchema],
): Channel => ({
  ...{ name, address, to: [to], from: ['operator'], payload, answer },
  summary: `An operator's command: ${address.slice('admin.'.length)}.`,
});

const { adminBuilds, adminDeadLetters, adminKeys, adminNames } = EVENT_NAMES;
const keys = (request: TSchema) => [request, KeysAnswer] as const;
const names = Type.Object({ names: Type.Array(NameRecord), next: Type.Optional(Type.Integer()) });

const letters = (verb: string, schemas: readonly [TSchema, TSchema]) =>
  command(`adminDeadLetters_${verb}`, adminDeadLetters(verb), 'build-lifecycle', schemas);

const OF_OPERATORS: readonly Channel[] = [
  command('adminBuildsRevoke', adminBuilds('revoke'), 'build-lifecycle', [RevokeBuild, or(RevokeBuild)]),
  letters('list', [ListDeadLetters, or(DeadLetterList)]),
  letters('show', [OneDeadLetter, or(ShownDeadLetter)]),
  letters('replay', [OneDeadLetter, or(ReplayedDeadLetter)]),
  command('adminKeysList', adminKeys('list'), 'key-manager', keys(ListKeys)),
  command('adminKeysRotate', adminKeys('rotate'), 'key-manager', keys(RotateKeys)),
  command('adminKeysRevoke', adminKeys('revoke'), 'key-manager', keys(RevokeKey)),
  command('adminNamesList', adminNames('list'), 'issuer', [ListNames, or(names)]),
  command('adminNamesRelease', adminNames('release'), 'issuer', [ReleaseName, or(NameRecord)]),
];

/** Every event name of the system. */
export const CHANNELS: readonly Channel[] = [...OF_A_CI, ...AMONG_SERVICES, ...OF_OPERATORS];
