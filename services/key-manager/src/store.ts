import { BUCKETS } from '@mayfly/contracts/bus';
import { checkPublishedKeySet, type PublishedKeySet } from '@mayfly/contracts/keys';
import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { type KV, Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

/** A sealed keyring and the revision that the next change has to name. */
export type Stored = { sealed: string; revision: number };

/** How far the keyrings are, as their leader says: which bucket this is, its last revision, and its clock (ms). */
export type StoreState = { created: string; revision: number; time: number };

/** Where sealed keyrings and public key sets are kept. Every change is a compare-and-set. */
export type KeyStore = {
  /** Asks the leader how far the keyrings are. */
  state(): Promise<StoreState>;
  /** Gives the first keyring that was changed after `revision`, by a read of the leader; undefined where none was. */
  changedAfter(revision: number): Promise<(Stored & { source: string }) | undefined>;
  /** Gives the newest keyring of a source, by a read of the leader; undefined where there is none. */
  read(source: string): Promise<Stored | undefined>;
  /** Stores a keyring if `revision` (0: none) is still the newest; gives the new revision, undefined where it is not. */
  replace(source: string, sealed: string, revision: number): Promise<number | undefined>;
  /** Publishes a key set, unless one of a newer version is published already; gives the one that is published then. */
  publish(keySet: PublishedKeySet): Promise<PublishedKeySet>;
};

/** Takes a connection to NATS; gives the key store in its two buckets. */
export async function keyStore(nats: NatsConnection): Promise<KeyStore> {
  const jsm = await jetstreamManager(nats, { checkAPI: false, timeout: TIMEOUT_MS });
  const kvm = new Kvm(jetstream(nats, { timeout: TIMEOUT_MS }));
  const keyrings = await kvm.open(BUCKETS.keyring, { allow_direct: false });
  const keySets = await kvm.open(BUCKETS.keySets, { allow_direct: false });
  return {
    state: () => stateOf(jsm),
    changedAfter: (revision) => changedAfter(jsm, revision),
    async read(source) {
      const entry = await keyrings.get(source);
      return entry ? { sealed: entry.string(), revision: entry.revision } : undefined;
    },
    replace: (source, sealed, revision) => compareAndSet(keyrings, source, sealed, revision),
    publish: (keySet) => publish(keySets, keySet),
  };
}

const STREAM = `KV_${BUCKETS.keyring}`;
const PREFIX = `$KV.${BUCKETS.keyring}.`;
/** A leader that does not answer by then is asked again, or its successor is. */
const TIMEOUT_MS = 1000;
const WRONG_LAST_SEQUENCE = 10071;

async function stateOf(jsm: JetStreamManager): Promise<StoreState> {
  const { created, state, ts } = await jsm.streams.info(STREAM);
  return { created, revision: state.last_seq, time: Date.parse(ts ?? '') };
}

async function changedAfter(jsm: JetStreamManager, revision: number) {
  const query = { seq: revision + 1, next_by_subj: `${PREFIX}*` };
  const message = await jsm.streams.getMessage(STREAM, query);
  if (!message) return undefined;
  return { source: message.subject.slice(PREFIX.length), sealed: message.string(), revision: message.seq };
}

async function publish(bucket: KV, keySet: PublishedKeySet): Promise<PublishedKeySet> {
  for (let tries = 0; tries < 10; tries++) {
    const entry = await bucket.get(keySet.source);
    const published = entry?.json<unknown>();
    if (checkPublishedKeySet.is(published) && published.version >= keySet.version) return published;
    const text = JSON.stringify(keySet);
    if ((await compareAndSet(bucket, keySet.source, text, entry?.revision ?? 0)) !== undefined) return keySet;
  }
  throw new Error('the key set could not be published');
}

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
