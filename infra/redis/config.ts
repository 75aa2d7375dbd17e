/** What each user of Redis may do: the projection has one writer, and its readers call one function. */
const RIGHTS: Record<string, string> = {
  operator: '~* &* +@all',
  'build-lifecycle':
    '~build:* ~status:* ~mark ~checks ~rebuilding resetchannels -@all +hello +auth +ping +info +client|setname +client|setinfo +time +fcall +fcall_ro +function|load +function|list +get +getrange +set +setbit +exists +pexpireat +zadd +zrem +zrange +scan +unlink',
  issuer:
    '%R~build:* %R~mark ~issued:* resetchannels -@all +hello +auth +ping +info +client|setname +time +fcall_ro +get +incr +pexpireat',
  'jwks-publisher':
    '%R~build:* %R~status:* %R~mark ~once:* resetchannels -@all +hello +auth +ping +info +client|setname +time +fcall_ro +get +getrange +set +multi +exec',
};

/** Takes the password of each user; gives the ACL file: nobody without a name, and each with exactly its rights. */
export function redisAcl(password: (user: string) => string): string {
  const rows = Object.entries(RIGHTS).map(([user, rights]) => {
    // `client|setinfo` came with Redis 7.2; naming it stops an older server from starting.
    return `user ${user} on sanitize-payload >${password(user)} ${rights.replace(' +client|setinfo', '')}`;
  });
  // Nobody can be `default`; but its rights are those that Redis reads its own file with, and a function's writes
  // stand there as a transaction, which it checks: without them a restart would forget every build.
  return `user default off resetpass ~* &* +@all\n${rows.join('\n')}\n`;
}

/** Takes where the server listens and writes; gives its configuration: synced every second, nothing ever evicted. */
export function redisConfig({
  bind,
  port,
  dir,
  aclFile,
}: {
  bind: string;
  port: number;
  dir: string;
  aclFile: string;
}): string {
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
`;
}
