import { randomUUID } from 'node:crypto';
import { compactVerify, createRemoteJWKSet, decodeProtectedHeader, type JWTPayload } from 'jose';
import { checkBoundClaims, metadataOf, Refusal } from './vault-stand-in-claims.ts';
import {
  type Call,
  envelope,
  type Namespace,
  type Reply,
  type Role,
  refuse,
  type State,
  type Token,
} from './vault-stand-in-state.ts';
import { makeToken } from './vault-stand-in-token.ts';

const ALGORITHMS = ['RS', 'ES', 'PS'].flatMap((kind) => ['256', '384', '512'].map((bits) => kind + bits));
const LEEWAY_SECONDS = 60;

/** `auth/<mount>/login`, in the order and the words of vault-plugin-auth-jwt. */
export async function login(state: State, namespace: Namespace, mount: string, call: Call): Promise<Reply> {
  const auth = namespace.auths.get(mount);
  // A mount that is not there is a path that nobody without a token may ask for.
  if (!auth) return refuse(403, 'permission denied');
  if (call.method === 'GET') return refuse(405, 'unsupported operation');
  const name = String(call.body['role'] ?? auth.config?.default_role ?? '').toLowerCase();
  if (name === '') return refuse(400, 'missing role');
  const role = auth.roles.get(name);
  if (!role) return refuse(400, `role "${name}" could not be found`);
  // Vault's own default is oidc.
  if (role.role_type !== 'jwt') return refuse(400, 'role with oidc role_type is not allowed');
  const jwt = call.body['jwt'];
  if (typeof jwt !== 'string' || jwt === '') return refuse(400, 'missing token');
  if (!auth.config) return refuse(400, 'could not load configuration');
  try {
    const claims = await verified(jwt, auth.config, role);
    const metadata = metadataOf(claims, role, name);
    checkBoundClaims(claims, role);
    const token = makeToken(call.namespace, role, metadata);
    state.tokens.set(token.token, token);
    return { status: 200, body: envelope({ auth: authOf(token) }) };
  } catch (error) {
    if (error instanceof Refusal) return refuse(400, error.message);
    throw error;
  }
}

/** A token as a login and a renewal answer with it. */
export function authOf(token: Token): Record<string, unknown> {
  return {
    client_token: token.token,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.metadata,
    lease_duration: token.leaseSeconds,
    renewable: token.isRenewable,
    entity_id: randomUUID(),
    token_type: 'service',
    orphan: true,
    mfa_requirement: null,
    num_uses: 0,
  };
}

type Config = { oidc_discovery_url: string; bound_issuer?: string };

async function verified(jwt: string, config: Config, role: Role): Promise<JWTPayload> {
  const { alg } = headerOf(jwt);
  if (!ALGORITHMS.includes(String(alg)))
    fail(`invalid algorithm (alg) header parameter: unsupported signing algorithm "${alg}"`);
  const keySet = createRemoteJWKSet(new URL(await keySetUrl(config.oidc_discovery_url)));
  const { payload } = await compactVerify(jwt, keySet).catch((cause: Error) =>
    fail(`error verifying token signature: failed to verify id token signature: ${cause.message}`),
  );
  const claims = JSON.parse(new TextDecoder().decode(payload)) as JWTPayload;
  checkTimes(claims);
  if (config.bound_issuer && claims.iss !== config.bound_issuer) fail('invalid issuer (iss) claim');
  if (role.bound_subject && claims.sub !== role.bound_subject) fail('invalid subject (sub) claim');
  checkAudience(claims, role);
  return claims;
}

const fail = (message: string): never => {
  throw new Refusal(`error validating token: ${message}`);
};

function headerOf(jwt: string) {
  try {
    return decodeProtectedHeader(jwt);
  } catch {
    return fail('error verifying token signature: malformed jwt');
  }
}

/** Discovery as go-oidc has it: 200, JSON, and the issuer byte for byte. */
async function keySetUrl(issuer: string): Promise<string> {
  const response = await fetch(`${issuer}/.well-known/openid-configuration`);
  const document = (await response.json()) as { issuer: string; jwks_uri: string };
  if (document.issuer !== issuer) {
    const told = `issuer did not match the returned issuer, expected "${issuer}" got "${document.issuer}"`;
    throw new Refusal(`error configuring token validator: ${told}`);
  }
  return document.jwks_uri;
}

function checkTimes({ exp, nbf, iat }: JWTPayload): void {
  const now = Date.now() / 1000;
  if (exp === undefined && nbf === undefined && iat === undefined)
    fail('no issued at (iat), not before (nbf), or expiration time (exp) claims in token');
  const ends = exp ?? Math.max(iat ?? 0, nbf ?? 0) + 150;
  if (now > ends + LEEWAY_SECONDS) fail('invalid expiration time (exp) claim: token is expired');
  if (now < (nbf ?? iat ?? 0) - LEEWAY_SECONDS) fail('invalid not before (nbf) claim: token not yet valid');
  if (iat !== undefined && now < iat - LEEWAY_SECONDS)
    fail('invalid issued at (iat) claim: token issued in the future');
}

function checkAudience({ aud }: JWTPayload, { bound_audiences: given = [] }: Role): void {
  const audiences = aud === undefined ? [] : [aud].flat();
  const bound = typeof given === 'string' ? given.split(',').filter(Boolean) : given;
  if (bound.length === 0 && audiences.length > 0)
    throw new Refusal('audience claim found in JWT but no audiences bound to the role');
  if (bound.length > 0 && !audiences.some((one) => bound.includes(one)))
    fail('invalid audience (aud) claim: audience claim does not match any expected audience');
}
