import { BUCKETS, EVENT_NAMES } from '@mayfly/contracts/bus';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import {
  checkKeysAnswer,
  checkPublishedKeySet,
  type KeysAnswer,
  type PublishedKeySet,
} from '@mayfly/contracts/keys';
import { type Algorithm, checkSignedIdTokens, checkSignedStatusList } from '@mayfly/contracts/signing';
import type { NatsConnection } from '@nats-io/transport-node';

/** What came of one token: the token and its kid, or why not. */
export type Signed = { token: string; kid: string } | { error: string };

/** Asks, as the issuer does, for ID tokens; gives what came of each. */
export async function signIdTokens(
  issuer: NatsConnection,
  claims: readonly Record<string, unknown>[],
  alg: Algorithm = 'ES256',
  source = 'acme',
): Promise<Signed[]> {
  const tokens = claims.map((one) => ({ source, alg, claims: one }));
  const body = JSON.stringify({ type: 'dev.mayfly.keys.sign.id-token', tokens });
  const message = await issuer.request(EVENT_NAMES.signIdToken, body, { timeout: 5000 });
  const answer = checkSignedIdTokens.parse(message.json<unknown>());
  if (!('results' in answer)) return claims.map(() => ({ error: answer.error }));
  return answer.results.map((result) =>
    'token' in result ? { token: result.token, kid: kidOf(result.token) } : { error: result.error },
  );
}

/** Asks for one ID token. */
export async function signIdToken(issuer: NatsConnection, alg: Algorithm = 'ES256'): Promise<Signed> {
  const [signed] = await signIdTokens(issuer, [idTokenClaims()], alg);
  return signed as Signed;
}

/** Gives claims that every source may have signed. */
export function idTokenClaims(lifetimeSeconds = 300): Record<string, unknown> {
  const iat = Math.floor(Date.now() / 1000);
  return {
    sub: 'a',
    jti: 'b',
    aud: 'https://api.example.com',
    iat,
    nbf: iat - 30,
    exp: iat + lifetimeSeconds,
  };
}

/** Asks, as jwks-publisher does, for a signed status list. */
export async function signStatusList(publisher: NatsConnection, claims: object, source = 'acme') {
  const body = JSON.stringify({ type: 'dev.mayfly.keys.sign.status-list', source, claims });
  const message = await publisher.request(EVENT_NAMES.signStatusList, body, { timeout: 5000 });
  return checkSignedStatusList.parse(message.json<unknown>());
}

/** Gives the claims of an empty status list of `acme`. */
export function statusListClaims(baseUrl: string) {
  const iat = Math.floor(Date.now() / 1000);
  const sub = `${issuerUrl(baseUrl, 'acme')}/status-lists/1-0`;
  return { sub, iat, exp: iat + 120, ttl: 60, status_list: { bits: 1, lst: 'eNpjYAAAAAEAAQ' } };
}

/** Asks, as an operator does. */
export async function command(
  operator: NatsConnection,
  verb: 'list' | 'rotate' | 'revoke',
  fields: object = {},
  timeout = 5000,
): Promise<KeysAnswer> {
  const body = JSON.stringify({ type: `dev.mayfly.admin.keys.${verb}`, by: 'test', ...fields });
  const message = await operator.request(EVENT_NAMES.adminKeys(verb), body, { timeout });
  return checkKeysAnswer.parse(message.json<unknown>());
}

/** Reads a published key set, as jwks-publisher does. */
export async function readKeySet(
  publisher: NatsConnection,
  source = 'acme',
  timeout = 5000,
): Promise<PublishedKeySet> {
  const query = JSON.stringify({ last_by_subj: `$KV.${BUCKETS.keySets}.${source}` });
  const answer = await publisher.request(EVENT_NAMES.readKeySet, query, { timeout });
  const { message } = answer.json<{ message: { data: string } }>();
  return checkPublishedKeySet.parse(JSON.parse(Buffer.from(message.data, 'base64').toString()));
}

const kidOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString()) as { kid: string }).kid;
