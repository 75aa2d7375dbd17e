import Type, { type Static } from 'typebox';
import { checker } from './check.ts';
import { SourceName } from './names.ts';
import { Algorithm } from './signing.ts';

const Base64Url = Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: 1024 });
const common = { kid: Base64Url, alg: Algorithm, use: Type.Literal('sig') };

/** A public signing key (RFC 7517 §4): RSA or P-256, nothing private, nothing else. */
export const PublicJwk = Type.Union([
  Type.Object(
    { kty: Type.Literal('RSA'), n: Base64Url, e: Base64Url, ...common },
    { additionalProperties: false },
  ),
  Type.Object(
    { kty: Type.Literal('EC'), crv: Type.Literal('P-256'), x: Base64Url, y: Base64Url, ...common },
    { additionalProperties: false },
  ),
]);
export type PublicJwk = Static<typeof PublicJwk>;

/** What `key-manager` publishes for one source: the whole public key set, and which version of it this is. */
export const PublishedKeySet = Type.Object(
  {
    source: SourceName,
    version: Type.Integer({
      minimum: 1,
      description: 'Revision of the keyring that this set was made from.',
    }),
    keys: Type.Array(PublicJwk, { minItems: 1, maxItems: 100 }),
  },
  { additionalProperties: false },
);
export type PublishedKeySet = Static<typeof PublishedKeySet>;

export const checkPublishedKeySet = checker(PublishedKeySet);
