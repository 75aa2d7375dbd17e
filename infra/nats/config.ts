import {
  BUCKETS,
  CONSUMERS,
  EVENT_NAMES,
  IMPORTED_API,
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

function consumer(stream: string, name: string, api = '$JS.API'): string[] {
  return [
    `${api}.CONSUMER.INFO.${stream}.${name}`,
    `${api}.CONSUMER.MSG.NEXT.${stream}.${name}`,
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
      ...consumer(STREAMS.lifecycle, CONSUMERS.issuer, IMPORTED_API),
      EVENT_NAMES.signIdToken,
      EVENT_NAMES.tokens('*', '*'),
      EVENT_NAMES.revokeBuild,
      `$KV.${NAMES_BUCKET}.*.*.*`,
      `${IMPORTED_API}.STREAM.MSG.GET.KV_${NAMES_BUCKET}`,
    ],
    subscribe: [inbox('issuer'), `${EVENT_NAMES.grant('*')} issuer`, `${EVENT_NAMES.adminNames('*')} issuer`],
    responds: true,
  },
  'jwks-publisher': {
    publish: [
      EVENT_NAMES.readKeySet,
      EVENT_NAMES.signStatusList,
      `${IMPORTED_API}.DIRECT.GET.${STREAMS.lifecycle}`,
      // Which end is the last, by the leader.
      `${IMPORTED_API}.STREAM.MSG.GET.${STREAMS.lifecycle}`,
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
      { service: ${quote(EVENT_NAMES.signIdToken)}, accounts: [ISSUER] }
      { service: ${quote(EVENT_NAMES.signStatusList)}, accounts: [PUBLISHER] }
      { service: ${quote(EVENT_NAMES.adminKeys('*'))}, accounts: [OPERATOR] }
      { service: ${quote(readKeySet)}, accounts: [PUBLISHER] }
      ${sources.map((source) => keySetExport(source)).join('\n      ')}
    ]
  }
  MAYFLY {
    jetstream: enabled
    users: [
      ${users('bootstrap', 'build-lifecycle')}
    ]
    exports: [
      { service: ${quote(EVENT_NAMES.adminBuilds('*'))}, accounts: [OPERATOR] }
      { service: ${quote(EVENT_NAMES.adminDeadLetters('*'))}, accounts: [OPERATOR] }
      ${OF_LIFECYCLE.publisher.map((one) => exported(one, 'PUBLISHER')).join('\n      ')}
      ${OF_LIFECYCLE.issuer.map((one) => exported(one, 'ISSUER')).join('\n      ')}
      ${sources.flatMap((source) => fromSource(source).map((name) => `{ service: ${quote(name)}, accounts: [${sourceAccount(source)}] }`)).join('\n      ')}
    ]
  }
  ISSUER {
    users: [
      ${users('issuer')}
    ]
    imports: [
      { service: { account: KEYS, subject: ${quote(EVENT_NAMES.signIdToken)} } }
      ${OF_LIFECYCLE.issuer.map((one) => imported(one)).join('\n      ')}
    ]
    exports: [
      { service: ${quote(EVENT_NAMES.adminNames('*'))}, accounts: [OPERATOR] }
      ${sources.map((source) => issuerExports(source)).join('\n      ')}
    ]
  }
  OPERATOR {
    users: [
      ${users('operator')}
    ]
    imports: [
      { service: { account: MAYFLY, subject: ${quote(EVENT_NAMES.adminBuilds('*'))} } }
      { service: { account: MAYFLY, subject: ${quote(EVENT_NAMES.adminDeadLetters('*'))} } }
      { service: { account: ISSUER, subject: ${quote(EVENT_NAMES.adminNames('*'))} } }
      { service: { account: KEYS, subject: ${quote(EVENT_NAMES.adminKeys('*'))} } }
    ]
  }
  PUBLISHER {
    users: [
      ${users('jwks-publisher')}
    ]
    imports: [
      { service: { account: KEYS, subject: ${quote(EVENT_NAMES.signStatusList)} } }
      { service: { account: KEYS, subject: ${quote(readKeySet)} }, to: ${quote(EVENT_NAMES.readKeySet)} }
      ${sources.map((source) => keySetImport(source)).join('\n      ')}
      ${OF_LIFECYCLE.publisher.map((one) => imported(one)).join('\n      ')}
    ]
  }
${sources.map((source) => sourceConfig(source, password(sourceAccount(source)))).join('\n')}
}
`;
}

/** A subject that crosses the border of an account: what is asked there, with one answer or several, or what is heard from there. */
type Crossing = { subject: string; is: 'service' | 'services' | 'stream' };

/**
 * What the services that others reach from outside have of the account of builds. They are in accounts of their own because a
 * server delivers what JetStream answers to whatever subject the question names for it, and asks nobody whether it may: within one
 * account that is any request of JetStream, and whoever may read one stream could delete every other.
 */
const OF_LIFECYCLE: Record<'issuer' | 'publisher', Crossing[]> = {
  issuer: [
    ...consumer(STREAMS.lifecycle, CONSUMERS.issuer).map(
      (subject): Crossing => ({ subject, is: subject.includes('MSG.NEXT') ? 'services' : 'service' }),
    ),
    { subject: `$KV.${NAMES_BUCKET}.*.*.*`, is: 'service' },
    { subject: `$JS.API.STREAM.MSG.GET.KV_${NAMES_BUCKET}`, is: 'service' },
    { subject: EVENT_NAMES.revokeBuild, is: 'service' },
  ],
  publisher: [
    { subject: `$JS.API.DIRECT.GET.${STREAMS.lifecycle}`, is: 'services' },
    { subject: `$JS.API.STREAM.MSG.GET.${STREAMS.lifecycle}`, is: 'service' },
    { subject: EVENT_NAMES.buildFinishedStored, is: 'stream' },
  ],
};

function exported({ subject, is }: Crossing, account: string): string {
  const kind = is === 'stream' ? 'stream' : 'service';
  // The server remembers whom each of several answers goes to until nobody listens, or for two minutes: a pull lasts five seconds.
  const several = is === 'services' ? ', response_type: "stream", response_threshold: "10s"' : '';
  return `{ ${kind}: ${quote(subject)}, accounts: [${account}]${several} }`;
}

function imported({ subject, is }: Crossing): string {
  const kind = is === 'stream' ? 'stream' : 'service';
  const here = subject.replace(/^\$JS\.API\./, `${IMPORTED_API}.`);
  return `{ ${kind}: { account: MAYFLY, subject: ${quote(subject)} }${here === subject ? '' : `, to: ${quote(here)}`} }`;
}

const bucketSubject = (source: string) => `$KV.${BUCKETS.keySets}.${source}`;
const readKeySet = `$JS.API.STREAM.MSG.GET.KV_${BUCKETS.keySets}`;

function keySetExport(source: string): string {
  return `{ stream: ${quote(bucketSubject(source))}, accounts: [PUBLISHER] }`;
}

function keySetImport(source: string): string {
  return `{ stream: { account: KEYS, subject: ${quote(bucketSubject(source))} }, to: ${quote(EVENT_NAMES.keySetChanged(source))} }`;
}

/** What a source says to the account of builds. */
const fromSource = (source: string) => [
  EVENT_NAMES.started(source),
  EVENT_NAMES.finished(source),
  EVENT_NAMES.heartbeat(source),
];

function issuerExports(source: string): string {
  const account = sourceAccount(source);
  return `{ service: ${quote(EVENT_NAMES.grant(source))}, accounts: [${account}] }
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
      ${fromSource(source)
        .map((name) => `{ service: { account: MAYFLY, subject: ${quote(name)} } }`)
        .join('\n      ')}
      { service: { account: ISSUER, subject: ${quote(EVENT_NAMES.grant(source))} } }
      { stream: { account: ISSUER, subject: "tokens.${source}.>" } }
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
