import { isIP } from 'node:net';
import { type Address, REPLICA_MAX_LAG_SECONDS } from './config.ts';

/** The name that Sentinel knows the master by. */
export const MASTER_NAME = 'mayfly';

/** What each user of Sentinel may do: services ask where the master is and hear that it changed; sentinels vote. */
const RIGHTS: Record<string, string> = {
  operator: '&* +@all',
  services:
    'resetchannels &+switch-master -@all +hello +auth +ping +client|setname +subscribe +sentinel|get-master-addr-by-name',
  peers:
    'resetchannels &__sentinel__:hello -@all +hello +auth +ping +client|setname +publish +sentinel|is-master-down-by-addr',
};

/** Takes the password of each user of Sentinel; gives its ACL file. */
export function sentinelAcl(password: (user: string) => string): string {
  const rows = Object.entries(RIGHTS).map(([user, rights]) => `user ${user} on >${password(user)} ${rights}`);
  return `user default off resetpass -@all\n${rows.join('\n')}\n`;
}

/**
 * How long a master may be silent before it is given up, ms: longer than one that was cut off goes on taking writes,
 * so that its successor never has to share with it.
 */
export const DOWN_AFTER_MS = (REPLICA_MAX_LAG_SECONDS + 3) * 1000;

/** Where a Sentinel listens and writes, and the master that it watches first. */
export type SentinelPlace = {
  bind: string;
  port: number;
  dir: string;
  aclFile: string;
  master: Address;
  downAfterMs?: number | undefined;
};

/**
 * Takes the place of one of three Sentinels, its own password for the others and that of its user in Redis; gives its
 * configuration, which it writes itself from then on.
 */
export function sentinelConfig(
  { bind, port, dir, aclFile, master, downAfterMs = DOWN_AFTER_MS }: SentinelPlace,
  passwords: { peers: string; redis: string },
): string {
  const names =
    isIP(master.host) === 0 ? 'sentinel resolve-hostnames yes\nsentinel announce-hostnames yes\n' : '';
  // Replicas answer nobody, so that both may follow the new master at once: it takes writes as soon as one does. A vote
  // that nobody won is held again after twice the time that a failover may take.
  return `bind ${bind}
port ${port}
protected-mode no
dir ${JSON.stringify(dir)}
aclfile ${JSON.stringify(aclFile)}
daemonize no
${names}sentinel monitor ${MASTER_NAME} ${master.host} ${master.port} 2
sentinel auth-user ${MASTER_NAME} sentinel
sentinel auth-pass ${MASTER_NAME} ${passwords.redis}
sentinel down-after-milliseconds ${MASTER_NAME} ${downAfterMs}
sentinel failover-timeout ${MASTER_NAME} 5000
sentinel parallel-syncs ${MASTER_NAME} 2
sentinel sentinel-user peers
sentinel sentinel-pass ${passwords.peers}
`;
}
