import { BUCKETS } from '@mayfly/contracts/bus';
import { checkPublishedKeySet, type PublishedKeySet } from '@mayfly/contracts/keys';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

/** A sealed keyring and the revision that the next change has to name. */
export type Stored = { sealed: string; revision: number };

/** Where sealed keyrings and public key sets are kept. Every change is a compare-and-set. */
export type KeyStore = {
  /** Gives the newest keyring of a source, by a read of the leader; undefined where there is none. */
  read(source: string): Promise<Stored | undefined>;
  /** Stores a keyring if `revision` (0: none) is still the newest; gives the new revision, undefined where it is not. */
  replace(source: string, sealed: string, revision: number): Promise<number | undefined>;
  /** Publishes a key set, unless one of a newer version is published already. */
  publish(keySet: PublishedKeySet): Promise<void>;
};

/** Takes a connection to NATS; gives the key store in its two buckets. */
export async function keyStore(nats: NatsConnection): Promise<KeyStore> {
  const kvm = new Kvm(nats);
  const keyrings = await kvm.open(BUCKETS.keyring, { allow_direct: false });
  const keySets = await kvm.open(BUCKETS.keySets, { allow_direct: false });
  return {
    async read(source) {
      const entry = await keyrings.get(source);
      return entry ? { sealed: entry.string(), revision: entry.revision } : undefined;
    },
    replace: (source, sealed, revision) => compareAndSet(keyrings, source, sealed, revision),
    async publish(keySet) {
      for (let tries = 0; tries < 10; tries++) {
        const entry = await keySets.get(keySet.source);
        const published = entry?.json<unknown>();
        if (checkPublishedKeySet.is(published) && published.version >= keySet.version) return;
        const written = await compareAndSet(
          keySets,
          keySet.source,
          JSON.stringify(keySet),
          entry?.revision ?? 0,
        );
        if (written !== undefined) return;
      }
      throw new Error('the key set could not be published');
    },
  };
}

const WRONG_LAST_SEQUENCE = 10071;

async function compareAndSet(
  bucket: KV,
  key: string,
  value: string,
  revision: number,
): Promise<number | undefined> {
  try {
    return revision === 0 ? await bucket.create(key, value) : await bucket.update(key, value, revision);
  } catch (error) {
    if ((error as { code?: number }).code === WRONG_LAST_SEQUENCE) return undefined;
    throw error;
  }
}
