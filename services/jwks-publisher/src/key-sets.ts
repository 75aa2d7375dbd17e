import type { PublicJwk, PublishedKeySet } from '@mayfly/contracts/keys';
import { type CryptoKey, importJWK } from 'jose';
import { keySetDocument, type PublicDocument } from './documents.ts';

/** A key set in memory: its document, and each key ready to verify with, bound to its one algorithm. */
export type ServedKeySet = {
  version: number;
  document: PublicDocument;
  keys: ReadonlyMap<string, { alg: PublicJwk['alg']; key: CryptoKey }>;
};

/** The key sets of all sources, in memory. */
export type KeySets = {
  get(source: string): ServedKeySet | undefined;
  /** Takes a published key set in, unless a newer one is there; says whether it did. */
  accept(keySet: PublishedKeySet): Promise<boolean>;
  /** Sources without a key set. */
  missing(): string[];
};

/** Takes the sources; gives their key sets, none at first. */
export function keySets(sources: readonly string[]): KeySets {
  const served = new Map<string, ServedKeySet>();
  return {
    get: (source) => served.get(source),
    missing: () => sources.filter((source) => !served.has(source)),
    async accept({ source, version, keys }) {
      const isNew = () => sources.includes(source) && version > (served.get(source)?.version ?? 0);
      if (!isNew()) return false;
      const imported = await Promise.all(
        keys.map(
          async (jwk) =>
            [jwk.kid, { alg: jwk.alg, key: (await importJWK(jwk, jwk.alg)) as CryptoKey }] as const,
        ),
      );
      if (!isNew()) return false;
      served.set(source, { version, document: keySetDocument({ keys }), keys: new Map(imported) });
      return true;
    },
  };
}
