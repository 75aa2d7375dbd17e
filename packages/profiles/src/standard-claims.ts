/** The claims that every ID token has (OIDC Core §2, RFC 7519 §4.1). */
export const STANDARD_CLAIMS = ['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti'] as const;

/** The claim that AWS STS reads session tags from. */
export const TAGS_CLAIM = 'https://aws.amazon.com/tags';

/** Claims that a profile may not make: a relying party would read something into them that is not meant. */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  ...STANDARD_CLAIMS,
  TAGS_CLAIM,
  'status',
  // AWS takes `azp` for the audience (OIDC Core §2), others for a client.
  ...['azp', 'nonce', 'auth_time', 'acr', 'amr', 'at_hash', 'c_hash'],
  // RFC 7800, 8693, 8417: a token bound to a key, one that stands for another, one that is an event.
  ...['cnf', 'act', 'may_act', 'events', 'sub_id'],
  ...['_claim_names', '_claim_sources', '__proto__'],
]);
