/** JetStream streams, by the name that they have on the server. */
export const STREAMS = { builds: 'BUILDS', lifecycle: 'LIFECYCLE', deadLetters: 'DEAD_LETTERS' } as const;

/** Durable consumers: the service, and what it takes where it has two. */
export const CONSUMERS = {
  starts: 'build-lifecycle-starts',
  ends: 'build-lifecycle-ends',
  issuer: 'issuer',
} as const;

/** Key-value buckets; both belong to the account of `key-manager`. */
export const BUCKETS = { keyring: 'keyring', keySets: 'key-sets' } as const;

/** Key-value bucket of `issuer`, in the account of builds: which name was seen with which immutable id. */
export const NAMES_BUCKET = 'names';

/** Event names: what is published where. */
export const EVENT_NAMES = {
  started: (source: string) => `ci.${source}.build.started`,
  finished: (source: string) => `ci.${source}.build.finished`,
  grant: (source: string) => `ci.${source}.grant`,
  heartbeat: (source: string) => `ci.${source}.heartbeat`,
  ended: (source: string) => `ended.${source}`,
  deadLetter: (source: string) => `dead-letters.${source}`,
  tokens: (source: string, reply: string) => `tokens.${source}.${reply}`,
  /** The issuer asks that a build ends: its request token leaked. */
  revokeBuild: 'builds.revoke',
  /** Operators' commands to `build-lifecycle`: `admin.builds.revoke`, `admin.dead-letters.list`, … */
  adminBuilds: (verb: string) => `admin.builds.${verb}`,
  adminDeadLetters: (verb: string) => `admin.dead-letters.${verb}`,
  /** Operators' commands to `issuer`: `admin.names.list`, `admin.names.release`. */
  adminNames: (verb: string) => `admin.names.${verb}`,
  buildRunning: 'build.running',
  buildFinished: 'build.finished',
  /**
   * Each `build.finished` again, once LIFECYCLE has it: said by the server, and nobody else may, with its place and that of
   * the one before it in the headers.
   */
  buildFinishedStored: 'stored.build.finished',
  signIdToken: 'keys.sign.id-token',
  signStatusList: 'keys.sign.status-list',
  /** Operators' commands about keys: `admin.keys.list`, `admin.keys.rotate`, `admin.keys.revoke`. */
  adminKeys: (verb: string) => `admin.keys.${verb}`,
  /**
   * How `jwks-publisher` reads a public key set: a read of the bucket by its leader, imported from the keys' account. A server
   * that is cut off from the others would give what it has for ever.
   */
  readKeySet: 'key-sets.get',
  /** Announces a new public key set: the bucket's own messages, imported. */
  keySetChanged: (source: string) => `key-sets.changed.${source}`,
} as const;

/**
 * What JetStream's own `$JS.API` is called where the streams are another account's: within an account the server keeps that name
 * for streams of its own.
 */
export const IMPORTED_API = 'builds-api';

/** Longest event that is read, bytes; what is a little longer is dead-lettered by its first KiB and its digest. */
export const MAX_EVENT_BYTES = 64 * 1024;

/** Longest event that BUILDS takes, with its headers, bytes; what is longer is refused to who publishes it. */
export const MAX_STORED_EVENT_BYTES = MAX_EVENT_BYTES + 16 * 1024;

/** Longest message that the server takes, bytes. */
export const MAX_MESSAGE_BYTES = 512 * 1024;

/** The consumers that a rebuild of the projection may make; one at a time holds a name. */
export const REBUILD_CONSUMERS = ['rebuild-1', 'rebuild-2', 'rebuild-3', 'rebuild-4'] as const;
