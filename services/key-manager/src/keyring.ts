import { checker } from '@mayfly/contracts/check';
import { type PublicJwk, PublicJwk as PublicJwkSchema, type PublishedKeySet } from '@mayfly/contracts/keys';
import { LONGEST_LIFETIME_SECONDS } from '@mayfly/contracts/policy';
import type { Algorithm } from '@mayfly/contracts/signing';
import type { JWK } from 'jose';

/** Where a signing key is in its life: published before it signs, signing, published after it signed. */
export type KeyState = 'prepared' | 'active' | 'retired';

/** A new key: `jwk` is what its custody needs to sign with it, the private JWK itself where that is this process. */
export type NewKey = { kid: string; alg: Algorithm; jwk: JWK };

/** One signing key. Times in ms since 1970. */
export type SigningKey = NewKey & {
  state: KeyState;
  preparedAt: number;
  /** When a public key set with it was known to be published. */
  publishedAt?: number;
  activatedAt?: number;
  retiredAt?: number;
  /** Longest that anything lives that it may have signed; never shrinks. */
  signsForSeconds?: number;
};

/** A key that was revoked: nothing of it is kept but this. */
export type RevokedKey = { kid: string; alg: Algorithm; at: number; reason: string };

/** All signing keys of one source: the document that replicas share, sealed. `version` is that of its public half. */
export type Keyring = { source: string; version: number; keys: SigningKey[]; revoked: RevokedKey[] };

/** The algorithms that every source has a key for. */
export const ALGORITHMS: readonly Algorithm[] = ['RS256', 'ES256'];

const checkPublic = checker(PublicJwkSchema);

/** Gives the keyring of a source that has no key yet. */
export function emptyKeyring(source: string): Keyring {
  return { source, version: 0, keys: [], revoked: [] };
}

/** Takes a keyring and an algorithm; gives the key that signs with it, undefined where none does. */
export function activeKey({ keys }: Keyring, alg: Algorithm): SigningKey | undefined {
  return keys.find((key) => key.alg === alg && key.state === 'active');
}

/** How long what a key has signed may live, seconds. */
export function signsForSeconds(key: SigningKey): number {
  return key.signsForSeconds ?? LONGEST_LIFETIME_SECONDS;
}

/** Takes a keyring; gives what of it is public: prepared, active and retired keys, and which keys were revoked. */
export function publicKeySet(keyring: Keyring): PublishedKeySet {
  const { source, version, revoked } = keyring;
  const keys = publicKeys(keyring);
  if (revoked.length === 0) return { source, version, keys };
  const facts = revoked.map(({ kid, reason, at }) => ({ kid, reason, at: Math.floor(at / 1000) }));
  return { source, version, keys, revoked: facts };
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
