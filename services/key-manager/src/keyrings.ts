import type { Algorithm } from '@mayfly/contracts/signing';
import type { Logger } from 'pino';
import { generateSigningKey } from './generate.ts';
import { ALGORITHMS, firstKeyring, type Keyring, publicKeys } from './keyring.ts';
import type { Seal } from './seal.ts';
import type { KeyStore } from './store.ts';

type Shared = { store: KeyStore; seal: Seal; log: Logger; now(): number };

/**
 * Takes a source; gives its keyring, made now if it has none. Of several replicas that make one at the same moment, one
 * wins and all use that. The public key set is published before the keyring is given. Throws where NATS fails.
 */
export async function agreeOnKeyring(source: string, shared: Shared): Promise<Keyring> {
  const { store, seal, log, now } = shared;
  for (;;) {
    const stored = await store.read(source);
    if (stored) {
      const keyring = await seal.open(source, stored.sealed);
      await store.publish({ source, version: stored.revision, keys: publicKeys(keyring) });
      return keyring;
    }
    const keys = await Promise.all(ALGORITHMS.map((alg: Algorithm) => generateSigningKey(alg)));
    const sealed = await seal.close(firstKeyring(source, keys, now()));
    if ((await store.replace(source, sealed, 0)) !== undefined) {
      for (const { kid, alg } of keys) log.info({ source, kid, alg }, 'key activated');
    }
  }
}
