import type { PublishedKeySet } from '@mayfly/contracts/keys';
import { type VerifyingKey, verifyingKey } from '@mayfly/contracts/verifying-key';
import { keySetDocument, type PublicDocument } from './documents.ts';

/** A key set in memory: its document, and its keys by `kid`. */
export type ServedKeySet = {
  version: number;
  document: PublicDocument;
  keys: ReadonlyMap<string, VerifyingKey>;
};

/** The key sets of all sources, in memory. */
export type KeySets = {
  /** The key set of a source, undefined where there is none, or only a cached one that is too old. */
  get(source: string): ServedKeySet | undefined;
  /** Says whether the key set was read from `key-manager` within the last five seconds. */
  isConfirmed(source: string): boolean;
  /** Takes in what `key-manager` publishes now, unless a newer one is there; says whether it is a new one. */
  accept(keySet: PublishedKeySet): boolean;
  /** Takes in a key set that was kept, to be served until then (ms) unless it is confirmed. */
  acceptKept(keySet: PublishedKeySet, until: number): void;
  /** Sources without a key set. */
  missing(): string[];
};

type Entry = ServedKeySet & { until: number };

/** How long a key set counts as confirmed: a key that is revoked meanwhile is believed no longer, ms. */
const CONFIRMED_MS = 5000;
const NEVER = { monotonic: -Infinity, wall: -Infinity };

/** Takes the sources and the clock (ms since 1970); gives their key sets, none at first. */
export function keySets(sources: readonly string[], now: () => number): KeySets {
  const served = new Map<string, Entry>();
  const confirmed = new Map<string, { monotonic: number; wall: number }>();
  const get = (source: string) => {
    const entry = served.get(source);
    return entry && entry.until > now() ? entry : undefined;
  };
  const put = ({ source, version, keys }: PublishedKeySet, until: number) => {
    if (!sources.includes(source) || version <= (served.get(source)?.version ?? 0)) return false;
    const ready = new Map(keys.map((jwk) => [jwk.kid, verifyingKey(jwk)]));
    served.set(source, { version, document: keySetDocument({ keys }), keys: ready, until });
    return true;
  };
  return {
    get,
    missing: () => sources.filter((source) => !get(source)),
    isConfirmed(source) {
      const { monotonic, wall } = confirmed.get(source) ?? NEVER;
      // The one clock stands still while a virtual machine is suspended; the other may be set.
      return performance.now() - monotonic <= CONFIRMED_MS && now() - wall <= CONFIRMED_MS;
    },
    accept(keySet) {
      const isNew = put(keySet, Infinity);
      const entry = served.get(keySet.source);
      if (entry?.version === keySet.version) {
        entry.until = Infinity;
        confirmed.set(keySet.source, { monotonic: performance.now(), wall: now() });
      }
      return isNew;
    },
    acceptKept: (keySet, until) => void put(keySet, until),
  };
}
