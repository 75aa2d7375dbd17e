import {
  BUCKETS,
  CONSUMERS,
  EVENT_NAMES,
  MAX_MESSAGE_BYTES,
  NAMES_BUCKET,
  REBUILD_CONSUMERS,
  STREAMS,
} from '@mayfly/contracts/bus';
import { type ClusterPlace, clusterConfig, ROUTE_USER } from './cluster.ts';

/** Where a server listens and writes; and its place in a cluster, where it is one of several. */
export type NatsPlace = { listen: string; monitor: string; dir: string; cluster?: ClusterPlace };
type Permissions = { publish: string[]; subscribe: string[]; responds?: boolean };

/** The account of a source: only `ci.<source>.>` leaves it and only `tokens.<source>.>` enters. */
export const sourceAccount = (source: string) => `ci-${source}`;

const inbox = (user: string) => `_INBOX.${user}.>`;

function consumer(stream: string, name: string): string[] {
  return [
    `$JS.API.CONSUMER.INFO.${stream}.${name}`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.${name}`,
    `$JS.ACK.${stream}.${name}.>`,
    `$JS.ACK.*.*.${stream}.${name}.>`,
  ];
}

/** What each service may say and hear, and nothing else: one row a user. */
export const PERMISSIONS: Record<string, Permissions> = {
  bootstrap: { publish: ['$JS.API.>'], subscribe: [inbox('bootstrap')] },
  'bootstrap-keys': { publish: ['$JS.API.>'], subscribe: [inbox('bootstrap-keys')] },
  'build-lifecycle': {
    publish: [
      ...consumer(STREAMS.builds, CONSUMERS.starts),
      ...consumer(STREAMS.builds, CONSUMERS.ends),
      ...REBUILD_CONSUMERS.flatMap((name) => [
        `$JS.API.CONSUMER.CREATE.${STREAMS.builds}.${name}.>`,
        `$JS.API.CONSUMER.DELETE.${STREAMS.builds}.${name}`,
        ...consumer(STREAMS.builds, name),
      ]),
      `$JS.API.STREAM.INFO.${STREAMS.builds}`,
      `$JS.API.STREAM.MSG.GET.${STREAMS.builds}`,
      EVENT_NAMES.buildRunning,
      EVENT_NAMES.buildFinished,
      EVENT_NAMES.ended('*'),
      EVENT_NAMES.deadLetter('*'),
      // What came in by HTTP, and dead letters that an operator sends again.
      EVENT_NAMES.started('*'),
      EVENT_NAMES.finished('*'),
      `$JS.API.DIRECT.GET.${STREAMS.deadLetters}`,
      `$JS.API.STREAM.INFO.${STREAMS.deadLetters}`,
    ],
    subscribe: [
      inbox('build-lifecycle'),
      EVENT_NAMES.heartbeat('*'),
      `${EVENT_NAMES.revokeBuild} build-lifecycle`,
      `${EVENT_NAMES.adminBuilds('*')} build-lifecycle`,
      `${EVENT_NAMES.adminDeadLetters('*')} build-lifecycle`,
    ],
    responds: true,
  },
  issuer: {
    publish: [
      ...consumer(STREAMS.lifecycle, CONSUMERS.issuer),
      EVENT_NAMES.signIdToken,
      EVENT_NAMES.tokens('*', '*'),
      EVENT_NAMES.revokeBuild,
      `$KV.${NAMES_BUCKET}.*.*.*`,
      `$JS.API.STREAM.MSG.GET.KV_${NAMES_BUCKET}`,
    ],
    subscribe: [inbox('issuer'), `${EVENT_NAMES.grant('*')} issuer`, `${EVENT_NAMES.adminNames('*')} issuer`],
    responds: true,
  },
  'jwks-publisher': {
    publish: [
      EVENT_NAMES.readKeySet,
      EVENT_NAMES.signStatusList,
      `$JS.API.DIRECT.GET.${STREAMS.lifecycle}`,
      // Which end is the last, by the leader.
      `$JS.API.STREAM.MSG.GET.${STREAMS.lifecycle}`,
    ],
    subscribe: [inbox('jwks-publisher'), EVENT_NAMES.keySetChanged('*'), EVENT_NAMES.buildFinishedStored],
  },
  'key-manager': {
    publish: [
      ...[BUCKETS.keyring, BUCKETS.keySets].flatMap((bucket) => [
        `$KV.${bucket}.*`,
        `$JS.API.STREAM.INFO.KV_${bucket}`,
        `$JS.API.STREAM.MSG.GET.KV_${bucket}`,
      ]),
    ],
    subscribe: [
      inbox('key-manager'),
      `${EVENT_NAMES.signIdToken} key-manager`,
      `${EVENT_NAMES.signStatusList} key-manager`,
      `${EVENT_NAMES.adminKeys('*')} key-manager`,
    ],
    responds: true,
  },
  operator: { publish: ['admin.*.*'], subscribe: [inbox('operator')] },
};

/** Takes the sources, the password of each user, and where the server listens; gives the server's configuration. */
export function natsConfig(sources: string[], password: (user: string) => string, where: NatsPlace): string {
  const users = (...names: string[]) =>
    names.map((name) => user(name, password(name), PERMISSIONS[name])).join('\n      ');
  return `# Made from mayfly.yaml: change that instead.
server_name: ${where.cluster?.name ?? 'mayfly'}
listen: ${quote(where.listen)}
http: ${quote(where.monitor)}
max_payload: ${MAX_MESSAGE_BYTES}
write_deadline: "5s"
jetstream { store_dir: ${quote(where.dir)} }
${where.cluster ? clusterConfig(where.cluster, password(ROUTE_USER)) : ''}system_account: SYS
accounts {
  SYS {}
  KEYS {
    jetstream: enabled
    users: [
      ${users('bootstrap-keys', 'key-manager')}
    ]
    exports: [
      ${KEY_REQUESTS.map((name) => `{ service: ${quote(name)}, accounts: [MAYFLY] }`).join('\n      ')}
      { service: ${quote(readKeySet)}, accounts: [MAYFLY] }
      ${sources.map((source) => keySetExport(source)).join('\n      ')}
    ]
  }
  MAYFLY {
    jetstream: enabled
    users: [
      ${users('bootstrap', 'build-lifecycle', 'issuer', 'jwks-publisher', 'operator')}
    ]
    imports: [
      ${KEY_REQUESTS.map((name) => `{ service: { account: KEYS, subject: ${quote(name)} } }`).join('\n      ')}
      { service: { account: KEYS, subject: ${quote(readKeySet)} }, to: ${quote(EVENT_NAMES.readKeySet)} }
      ${sources.map((source) => keySetImport(source)).join('\n      ')}
    ]
    exports: [
      ${sources.map((source) => sourceExports(source)).join('\n      ')}
    ]
  }
${sources.map((source) => sourceConfig(source, password(sourceAccount(source)))).join('\n')}
}
`;
}

/** What is asked of `key-manager` across the border of its account. */
const KEY_REQUESTS = [EVENT_NAMES.signIdToken, EVENT_NAMES.signStatusList, EVENT_NAMES.adminKeys('*')];

const bucketSubject = (source: string) => `$KV.${BUCKETS.keySets}.${source}`;
const readKeySet = `$JS.API.STREAM.MSG.GET.KV_${BUCKETS.keySets}`;

function keySetExport(source: string): string {
  return `{ stream: ${quote(bucketSubject(source))}, accounts: [MAYFLY] }`;
}

function keySetImport(source: string): string {
  return `{ stream: { account: KEYS, subject: ${quote(bucketSubject(source))} }, to: ${quote(EVENT_NAMES.keySetChanged(source))} }`;
}

function sourceExports(source: string): string {
  const account = sourceAccount(source);
  return `{ service: "ci.${source}.>", accounts: [${account}] }
      { stream: "tokens.${source}.>", accounts: [${account}] }`;
}

function sourceConfig(source: string, password: string): string {
  const name = sourceAccount(source);
  const permissions = { publish: [`ci.${source}.>`], subscribe: [`tokens.${source}.>`, inbox(name)] };
  return `  ${name} {
    users: [
      ${user(name, password, permissions)}
    ]
    imports: [
      { service: { account: MAYFLY, subject: "ci.${source}.>" } }
      { stream: { account: MAYFLY, subject: "tokens.${source}.>" } }
    ]
  }`;
}

function user(name: string, password: string, permissions: Permissions | undefined): string {
  if (!permissions) throw new TypeError(`no permissions are written for ${name}`);
  const list = (subjects: string[]) =>
    subjects.length === 0 ? '{ deny: ">" }' : `{ allow: [${subjects.map(quote).join(', ')}] }`;
  const responses = permissions.responds ? ', allow_responses: { max: 1, expires: "5s" }' : '';
  const allowed = `publish: ${list(permissions.publish)}, subscribe: ${list(permissions.subscribe)}${responses}`;
  return `{ user: ${quote(name)}, password: ${quote(password)}, permissions: { ${allowed} } }`;
}

const quote = (text: string) => JSON.stringify(text);
