import { hash } from 'node:crypto';
import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { TOKEN_EXCHANGE } from '@mayfly/contracts/schema-routes-issuer';

/**
 * A public document as it is sent: its media type, its text and the strong entity tag of that (RFC 9110 §8.8.3). Text goes to
 * the socket together with the headers; bytes would go beside them, which takes half as long again.
 */
export type PublicDocument = { type: string; body: string; etag: string };

type Issuer = { issuer: string; tokenEndpoint: string };

/**
 * Takes an issuer and where its tokens are requested; gives its metadata (OpenID Connect Discovery §3, RFC 8414 §2).
 * There is no `authorization_endpoint`: nobody logs in here.
 */
export function discoveryDocument({ issuer, tokenEndpoint }: Issuer): PublicDocument {
  return jsonDocument('application/json', {
    issuer,
    jwks_uri: `${issuer}/jwks`,
    token_endpoint: tokenEndpoint,
    token_endpoint_auth_methods_supported: ['none'],
    introspection_endpoint: `${issuer}/introspect`,
    introspection_endpoint_auth_methods_supported: ['client_secret_basic'],
    status_list_aggregation_endpoint: `${issuer}/status-lists`,
    response_types_supported: ['id_token'],
    response_modes_supported: ['fragment'],
    grant_types_supported: [TOKEN_EXCHANGE],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256', 'ES256'],
    scopes_supported: ['openid'],
    claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'status'],
  });
}

/** Takes a published key set; gives its JWK Set (RFC 7517 §5). */
export function keySetDocument({ keys }: Pick<PublishedKeySet, 'keys'>): PublicDocument {
  return jsonDocument('application/jwk-set+json', { keys });
}

/** Takes a media type and a JSON value; gives it as it is sent. */
export function jsonDocument(type: string, value: object): PublicDocument {
  return publicDocument(type, JSON.stringify(value));
}

/** Takes a media type and text; gives it as it is sent. */
export function publicDocument(type: string, body: string): PublicDocument {
  return { type, body, etag: `"${hash('sha256', body, 'base64url')}"` };
}
