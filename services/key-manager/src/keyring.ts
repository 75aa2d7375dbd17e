import { checker } from '@mayfly/contracts/check';
import { type PublicJwk, PublicJwk as PublicJwkSchema } from '@mayfly/contracts/keys';
import type { Algorithm } from '@mayfly/contracts/signing';
import type { JWK } from 'jose';

/** Where a signing key is in its life: published before it signs, signing, published after it signed. */
export type KeyState = 'prepared' | 'active' | 'retired';

/** One signing key, with its private half. Times in ms since 1970. */
export type SigningKey = {
  kid: string;
  alg: Algorithm;
  state: KeyState;
  preparedAt: number;
  activatedAt?: number;
  retiredAt?: number;
  jwk: JWK;
};

/** All signing keys of one source: the document that replicas share, sealed. */
export type Keyring = { source: string; keys: SigningKey[] };

/** The algorithms that every source has a key for. */
export const ALGORITHMS: readonly Algorithm[] = ['RS256', 'ES256'];

const checkPublic = checker(PublicJwkSchema);

/** Takes a new key of each algorithm and the time; gives the first keyring of a source: all active, none seen before. */
export function firstKeyring(
  source: string,
  keys: { kid: string; alg: Algorithm; jwk: JWK }[],
  now: number,
): Keyring {
  return {
    source,
    keys: keys.map((key) => ({ ...key, state: 'active', preparedAt: now, activatedAt: now })),
  };
}

/** Takes a keyring and an algorithm; gives the key that signs with it, undefined where none does. */
export function activeKey({ keys }: Keyring, alg: Algorithm): SigningKey | undefined {
  return keys.find((key) => key.alg === alg && key.state === 'active');
}

/** Takes a keyring; gives its public keys (RFC 7517 §4), and nothing else of it. Throws a TypeError for another kind of key. */
export function publicKeys({ keys }: Keyring): PublicJwk[] {
  return keys.map(({ kid, alg, jwk }) => {
    const common = { kid, alg, use: 'sig' as const };
    const key =
      jwk.kty === 'RSA'
        ? { kty: jwk.kty, n: jwk.n, e: jwk.e, ...common }
        : { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y, ...common };
    if (!checkPublic.is(key)) throw new TypeError('a key is neither RSA nor P-256');
    return key;
  });
}
