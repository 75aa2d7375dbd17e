/** An answer of the stand-in: a status and a body; `undefined` for none (204). */
export type Reply = { status: number; body?: Record<string, unknown> };

/** A request to the stand-in, read. */
export type Call = {
  method: string;
  /** Below `/v1/`, decoded, in segments. */
  path: string[];
  query: URLSearchParams;
  token: string | undefined;
  /** From its header; with a slash at its end, empty for the root. */
  namespace: string;
  body: Record<string, unknown>;
};

/** A role of a JWT mount, in Vault's own words. */
export type Role = {
  role_type?: string;
  user_claim: string;
  user_claim_json_pointer?: boolean;
  groups_claim?: string;
  bound_audiences?: string[] | string;
  bound_subject?: string;
  bound_claims_type?: 'string' | 'glob';
  bound_claims?: Record<string, unknown>;
  claim_mappings?: Record<string, string>;
  token_policies?: string[];
  token_ttl?: number | string;
  token_max_ttl?: number | string;
  token_explicit_max_ttl?: number | string;
  token_period?: number | string;
  token_type?: string;
};

/** A JWT mount. */
export type AuthMount = {
  type: 'jwt';
  config?: { oidc_discovery_url: string; bound_issuer?: string; default_role?: string };
  roles: Map<string, Role>;
};

export type KvVersion = { data: Record<string, unknown>; created: string; deleted: string };

/** A KV engine: versions of each secret; version 1 keeps one. */
export type KvMount = { version: '1' | '2'; uuid: string; secrets: Map<string, KvVersion[]> };

/** What one namespace holds. */
export type Namespace = {
  auths: Map<string, AuthMount>;
  mounts: Map<string, KvMount>;
  policies: Map<string, { path: Record<string, { capabilities: string[] }> }>;
};

/** A token of the stand-in. */
export type Token = {
  token: string;
  accessor: string;
  namespace: string;
  policies: string[];
  metadata: Record<string, string>;
  /** What each lease is to be. */
  wantedSeconds: number;
  leaseSeconds: number;
  /** No lease goes beyond this, ms. */
  endsAt: number;
  expiresAt: number;
  isRenewable: boolean;
  renewals: number;
};

/** Everything that the stand-in keeps. */
export type State = {
  isSealed: boolean;
  namespaces: Map<string, Namespace>;
  tokens: Map<string, Token>;
  rootToken: string;
};

/** An answer with Vault's errors. */
export function refuse(status: number, ...errors: string[]): Reply {
  return { status, body: { errors } };
}

/** An answer in Vault's envelope. */
export function envelope(fields: Record<string, unknown>): Record<string, unknown> {
  return {
    request_id: crypto.randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth: null,
    ...fields,
  };
}

/** A namespace with nothing in it. */
export function emptyNamespace(): Namespace {
  return { auths: new Map(), mounts: new Map(), policies: new Map() };
}

/** Gives a token that is live and of this namespace, or undefined. */
export function liveToken(state: State, { token, namespace }: Call): Token | undefined {
  const found = token === undefined ? undefined : state.tokens.get(token);
  if (!found || found.expiresAt <= Date.now() || found.namespace !== namespace) return undefined;
  return found;
}

/** Says whether a token's policies give it this capability on this path. */
export function isAllowed(state: State, token: Token, path: string, capability: string): boolean {
  if (token.policies.includes('root')) return true;
  const { policies } = state.namespaces.get(token.namespace) ?? emptyNamespace();
  return token.policies.some((name) =>
    Object.entries(policies.get(name)?.path ?? {}).some(
      ([pattern, { capabilities }]) => covers(pattern, path) && capabilities.includes(capability),
    ),
  );
}

/** A policy's path: itself, or everything below it where it ends with `*`. */
export function covers(pattern: string, path: string): boolean {
  return pattern.endsWith('*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}
