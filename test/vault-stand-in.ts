import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { keyValue, tellMount } from './vault-stand-in-kv.ts';
import { authOf, login } from './vault-stand-in-login.ts';
import {
  type AuthMount,
  type Call,
  emptyNamespace,
  envelope,
  liveToken,
  type Namespace,
  type Reply,
  type Role,
  refuse,
  type State,
  type Token,
} from './vault-stand-in-state.ts';
import { extend } from './vault-stand-in-token.ts';

const ROOT_TOKEN = 'root';

/** Starts what answers as an OpenBao in its dev mode does, at an address of this machine; its root token is `root`. */
export async function startVaultStandIn(): Promise<AsyncDisposable & { url: string; rootToken: string }> {
  const state: State = {
    isSealed: false,
    namespaces: new Map([['', emptyNamespace()]]),
    tokens: new Map(),
    rootToken: ROOT_TOKEN,
  };
  const never = Number.POSITIVE_INFINITY;
  const forEver = { wantedSeconds: 0, leaseSeconds: 0, endsAt: never, expiresAt: never };
  state.tokens.set(ROOT_TOKEN, {
    token: ROOT_TOKEN,
    accessor: 'root',
    namespace: '',
    policies: ['root'],
    metadata: {},
    ...{ ...forEver, isRenewable: false, renewals: 0 },
  });
  const server = createServer((request, response) => {
    answer(state, request, response).catch((error: Error) => response.destroy(error));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    rootToken: ROOT_TOKEN,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function answer(state: State, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { status, body } = await replyTo(state, request);
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  response.writeHead(status, headers).end(body === undefined ? '' : JSON.stringify(body));
}

async function replyTo(state: State, request: IncomingMessage): Promise<Reply> {
  const url = new URL(request.url ?? '', 'http://vault');
  const header = (name: string) => [request.headers[name]].flat()[0];
  const [, bearer] = /^Bearer (.+)$/.exec(header('authorization') ?? '') ?? [];
  const named = (header('x-vault-namespace') ?? '').replace(/^\/+|\/+$/g, '');
  const call: Call = {
    method: request.method ?? '',
    path: url.pathname
      .replace(/^\/v1\//, '')
      .split('/')
      .map(decodeURIComponent),
    query: url.searchParams,
    token: header('x-vault-token') ?? bearer,
    namespace: named === '' ? '' : `${named}/`,
    body: parse(await text(request)),
  };
  if (state.isSealed) return refuse(503, 'Vault is sealed');
  const namespace = state.namespaces.get(call.namespace);
  if (!namespace) return refuse(404, 'namespace not found');
  const [first, ...rest] = call.path;
  if (first === 'auth' && rest.at(-1) === 'login') {
    return await login(state, namespace, rest.slice(0, -1).join('/'), call);
  }
  return withToken(state, namespace, call);
}

function parse(body: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function withToken(state: State, namespace: Namespace, call: Call): Reply {
  const path = call.path.join('/');
  const isRoot = call.token === state.rootToken;
  const token = isRoot ? state.tokens.get(ROOT_TOKEN) : liveToken(state, call);
  if (!token) return refuse(403, call.token === undefined ? 'missing client token' : 'permission denied');
  if (path.startsWith('sys/internal/ui/mounts/')) {
    return tellMount(state, namespace, token, path.slice('sys/internal/ui/mounts/'.length));
  }
  if (path.startsWith('auth/token/'))
    return tokenCall(state, token, path.slice('auth/token/'.length), call, isRoot);
  if (!/^(sys|auth)\//.test(path)) return keyValue(state, namespace, token, call);
  return isRoot
    ? administer(state, namespace, path, call)
    : refuse(403, '1 error occurred:\n\t* permission denied\n\n');
}

function tokenCall(state: State, token: Token, act: string, { body }: Call, isRoot: boolean): Reply {
  if (act === 'revoke-self') {
    state.tokens.delete(token.token);
    return { status: 204 };
  }
  if (act === 'renew-self') {
    if (!token.isRenewable) return refuse(400, 'lease is not renewable');
    extend(token, Date.now());
    token.renewals += 1;
    return { status: 200, body: envelope({ auth: authOf(token) }) };
  }
  const live = [...state.tokens.values()].filter(({ expiresAt }) => expiresAt > Date.now());
  if (isRoot && act === 'accessors') {
    return { status: 200, body: envelope({ data: { keys: live.map(({ accessor }) => accessor) } }) };
  }
  const found = live.find(
    ({ accessor }) => isRoot && act === 'lookup-accessor' && accessor === body['accessor'],
  );
  if (!found) return refuse(403, 'permission denied');
  const { accessor, policies, metadata: meta, wantedSeconds, renewals } = found;
  const last = renewals > 0 ? { last_renewal_time: Math.floor(Date.now() / 1000) } : {};
  return {
    status: 200,
    body: envelope({ data: { accessor, policies, meta, creation_ttl: wantedSeconds, ...last } }),
  };
}

/** What the root token sets up: namespaces, mounts, policies, the JWT mounts and their roles. */
function administer(
  state: State,
  namespace: Namespace,
  path: string,
  { body, namespace: within }: Call,
): Reply {
  const done: Reply = { status: 204 };
  const [, kind = '', name = ''] =
    /^(sys\/seal|sys\/namespaces|sys\/mounts|sys\/auth|sys\/policies\/acl)(?:\/(.+))?$/.exec(path) ?? [];
  if (kind === 'sys/seal') state.isSealed = true;
  else if (kind === 'sys/namespaces') state.namespaces.set(`${within}${name}/`, emptyNamespace());
  else if (kind === 'sys/mounts') {
    const version = (body['options'] as { version?: string } | undefined)?.version === '2' ? '2' : '1';
    namespace.mounts.set(name, { version, uuid: crypto.randomUUID(), secrets: new Map() });
  } else if (kind === 'sys/auth') namespace.auths.set(name, { type: 'jwt', roles: new Map() });
  else if (kind === 'sys/policies/acl') namespace.policies.set(name, JSON.parse(String(body['policy'])));
  else return configure(namespace, path, body);
  return done;
}

function configure({ auths }: Namespace, path: string, body: Record<string, unknown>): Reply {
  const [, mount = '', role = ''] = /^auth\/(.+?)\/(?:config|role\/([^/]+))$/.exec(path) ?? [];
  const auth = auths.get(mount);
  if (!auth) return refuse(404, `no handler for route "${path}". route entry not found.`);
  if (role === '') auth.config = body as NonNullable<AuthMount['config']>;
  else auth.roles.set(role.toLowerCase(), body as Role);
  return { status: 204 };
}
