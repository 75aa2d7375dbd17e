import {
  type Call,
  covers,
  envelope,
  isAllowed,
  type KvMount,
  type Namespace,
  type Reply,
  refuse,
  type State,
  type Token,
} from './vault-stand-in-state.ts';

const DENIED = '1 error occurred:\n\t* permission denied\n\n';
const INVALID_PATH =
  "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. If using the Vault CLI, use 'vault kv get' for this operation.";

/** Reads and writes of a KV engine, by a token that is live. */
export function keyValue(state: State, namespace: Namespace, token: Token, call: Call): Reply {
  const path = call.path.join('/');
  const found = mountOf(namespace, path);
  const isWrite = call.method !== 'GET' && call.method !== 'DELETE';
  const capability = { GET: 'read', DELETE: 'delete' }[call.method] ?? 'create';
  if (!isAllowed(state, token, path, capability)) return refuse(403, DENIED);
  if (!found) return refuse(404, `no handler for route "${path}". route entry not found.`);
  const [name, mount] = found;
  const below = path.slice(name.length + 1);
  if (mount.version === '1') return isWrite ? writeFirst(mount, below, call) : readFirst(mount, below);
  const [kind, ...rest] = below.split('/');
  if (kind !== 'data') return { status: 404, body: envelope({ warnings: [INVALID_PATH] }) };
  const key = rest.join('/');
  if (isWrite) return writeSecond(mount, key, call);
  return call.method === 'DELETE'
    ? deleteSecond(mount, key)
    : readSecond(mount, key, call.query.get('version'));
}

/** `sys/internal/ui/mounts/<path>`: what is mounted there, for a token that may do anything below it. */
export function tellMount(state: State, namespace: Namespace, token: Token, path: string): Reply {
  const found = mountOf(namespace, path);
  const mayDoAnything =
    token.policies.includes('root') ||
    token.policies.some((name) =>
      Object.keys(namespace.policies.get(name)?.path ?? {}).some(
        (pattern) =>
          found !== undefined && (pattern.startsWith(`${found[0]}/`) || covers(pattern, `${found[0]}/`)),
      ),
    );
  if (!found || !mayDoAnything) {
    return refuse(
      403,
      `preflight capability check returned 403, please ensure client's policies grant access to path "${path}/"`,
    );
  }
  const [name, { version, uuid }] = found;
  void state;
  const data = {
    accessor: `kv_${uuid.slice(0, 8)}`,
    config: { default_lease_ttl: 0, force_no_cache: false, max_lease_ttl: 0 },
    description: '',
    external_entropy_access: false,
    local: false,
    options: version === '2' ? { version } : null,
    path: `${name}/`,
    seal_wrap: false,
    type: 'kv',
    uuid,
  };
  return { status: 200, body: envelope({ data }) };
}

function mountOf({ mounts }: Namespace, path: string): [string, KvMount] | undefined {
  return [...mounts].find(([name]) => path === name || path.startsWith(`${name}/`));
}

function readFirst({ secrets }: KvMount, key: string): Reply {
  const data = secrets.get(key)?.at(-1)?.data;
  return data ? { status: 200, body: envelope({ lease_duration: 2_764_800, data }) } : refuse(404);
}

function writeFirst({ secrets }: KvMount, key: string, { body }: Call): Reply {
  secrets.set(key, [{ data: body, created: new Date().toISOString(), deleted: '' }]);
  return { status: 204 };
}

function readSecond({ secrets }: KvMount, key: string, wanted: string | null): Reply {
  const versions = secrets.get(key) ?? [];
  const number = Number(wanted ?? 0) || versions.length;
  const version = versions[number - 1];
  if (!version) return refuse(404);
  const { created, deleted, data } = version;
  const metadata = {
    created_time: created,
    custom_metadata: null,
    deletion_time: deleted,
    destroyed: false,
    version: number,
  };
  const isGone = deleted !== '';
  return { status: isGone ? 404 : 200, body: envelope({ data: { data: isGone ? null : data, metadata } }) };
}

function writeSecond({ secrets }: KvMount, key: string, { body }: Call): Reply {
  const data = body['data'];
  if (typeof data !== 'object' || data === null) return refuse(400, 'no data provided');
  const created = new Date().toISOString();
  const versions = [
    ...(secrets.get(key) ?? []),
    { data: data as Record<string, unknown>, created, deleted: '' },
  ];
  secrets.set(key, versions);
  const version = { created_time: created, deletion_time: '', destroyed: false, version: versions.length };
  return { status: 200, body: envelope({ data: version }) };
}

function deleteSecond({ secrets }: KvMount, key: string): Reply {
  const last = secrets.get(key)?.at(-1);
  if (last) last.deleted = new Date().toISOString();
  return { status: 204 };
}
