/** What each user of Redis may do: the projection has one writer, and its readers call one function. */
const RIGHTS: Record<string, string> = {
  operator: '~* &* +@all',
  'build-lifecycle':
    '~build:* ~status:* ~mark ~checks ~rebuilding resetchannels -@all +hello +auth +ping +info +client|setname +client|setinfo +time +fcall +fcall_ro +function|load +function|list +get +getrange +set +setbit +exists +pexpireat +zadd +zrem +zrange +scan +unlink',
  issuer:
    '%R~build:* %R~mark ~issued:* resetchannels -@all +hello +auth +ping +info +client|setname +time +fcall_ro +get +incrby +pexpireat',
  'jwks-publisher':
    '%R~build:* %R~status:* %R~mark ~once:* resetchannels -@all +hello +auth +ping +info +client|setname +time +fcall_ro +get +getrange +set +multi +exec',
};

/** Those of Redis's documentation, for its own servers: where a Redis has replicas. */
const REPLICATION_RIGHTS: Record<string, string> = {
  replica: 'resetchannels -@all +psync +replconf +ping',
  sentinel:
    'resetchannels &__sentinel__:hello -@all +multi +exec +slaveof +ping +info +role +publish +subscribe +config|rewrite +client|setname +client|kill +script|kill',
};

/** Takes the password of each user; gives the ACL file: nobody without a name, and each with exactly its rights. */
export function redisAcl(password: (user: string) => string, hasReplicas = false): string {
  const all = { ...RIGHTS, ...(hasReplicas ? REPLICATION_RIGHTS : {}) };
  const rows = Object.entries(all).map(([user, rights]) => {
    // `client|setinfo` came with Redis 7.2; naming it stops an older server from starting.
    return `user ${user} on sanitize-payload >${password(user)} ${rights.replace(' +client|setinfo', '')}`;
  });
  // Nobody can be `default`; but its rights are those that Redis reads its own file with, and a function's writes
  // stand there as a transaction, which it checks: without them a restart would forget every build.
  return `user default off resetpass ~* &* +@all\n${rows.join('\n')}\n`;
}

/** An address of a server. */
export type Address = { host: string; port: number };

/** Where a server listens and writes; and, where it is one of several, whom it follows first and as what others know it. */
export type RedisPlace = {
  bind: string;
  port: number;
  dir: string;
  aclFile: string;
  replication?: { follows?: Address | undefined; announced: Address };
};

/** Takes the place of a server and the password of each user; gives its configuration: synced every second, nothing ever evicted. */
export function redisConfig(place: RedisPlace, password: (user: string) => string): string {
  const { bind, port, dir, aclFile, replication } = place;
  return `# Made from mayfly.yaml: change that instead.
bind ${bind}
port ${port}
protected-mode no
dir ${JSON.stringify(dir)}
aclfile ${JSON.stringify(aclFile)}
appendonly yes
appendfsync everysec
save ""
maxmemory-policy noeviction
tcp-keepalive 30
daemonize no
${replication ? replicationConfig(replication, password('replica')) : ''}`;
}

/**
 * How long ago a replica may have been heard before it counts for nothing, seconds. A master that was cut off takes
 * writes for two seconds longer at most (both clocks are whole seconds), and has to stop before Sentinel gives up on it.
 */
export const REPLICA_MAX_LAG_SECONDS = 2;

function replicationConfig(
  { follows, announced }: NonNullable<RedisPlace['replication']>,
  password: string,
): string {
  // A master whose replicas are gone may have a successor. One that waits for its replicas syncs each at once, and
  // keeps enough for those that were away for a while.
  return `masteruser replica
masterauth ${password}
replica-announce-ip ${announced.host}
replica-announce-port ${announced.port}
min-replicas-to-write 1
min-replicas-max-lag ${REPLICA_MAX_LAG_SECONDS}
repl-diskless-sync-delay 0
repl-backlog-size 64mb
${follows ? `replicaof ${follows.host} ${follows.port}\n` : ''}`;
}
