import {
  BUCKETS,
  CONSUMERS,
  EVENT_NAMES,
  IMPORTED_API,
  NAMES_BUCKET,
  REBUILD_CONSUMERS,
  STREAMS,
} from '@mayfly/contracts/bus';

/** What one user may say and hear, and whether it may answer. */
export type Permissions = { publish: string[]; subscribe: string[]; responds?: boolean };

/** Where a user hears answers. */
export const inbox = (user: string) => `_INBOX.${user}.>`;

/** What whoever pulls from a consumer says to JetStream, whose API may have another name. */
export function consumer(stream: string, name: string, api = '$JS.API'): string[] {
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
