import { MAX_MESSAGE_BYTES } from '@mayfly/contracts/bus';
import { accountsConfig } from './accounts.ts';
import { type ClusterPlace, clusterConfig, ROUTE_USER } from './cluster.ts';

/** Where a server listens and writes; and its place in a cluster, where it is one of several. */
export type NatsPlace = { listen: string; monitor: string; dir: string; cluster?: ClusterPlace };

/** Takes the sources, the password of each user, and where the server listens; gives the server's configuration. */
export function natsConfig(sources: string[], password: (user: string) => string, where: NatsPlace): string {
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
${accountsConfig(sources, password)}
}
`;
}

const quote = (text: string) => JSON.stringify(text);
