import { extendIndex, type MaskIndex, maskIndex } from './mask-index.ts';
import { secretParts } from './secret-parts.ts';

/** Every secret of a running step, for all of its outputs together. */
export type SecretBook = {
  /** From now on `secret` is masked; until `expires` (ms since 1970) at least, or for as long as the step runs. */
  add(secret: string, expires?: number): void;
  /** What is looked for now. */
  index(): MaskIndex;
  /** The parts of the secrets that are tokens: what is reported where it is found and could not be masked. */
  all(): string[];
};

/** An expired token is no secret any more, but relying parties' clocks differ. */
const MASKED_AFTER_EXPIRY_MS = 600_000;

type Secrets = Map<string, { parts: Uint8Array[]; expires: number }>;

/** Makes an empty book. */
export function secretBook(now: () => number = Date.now): SecretBook {
  const secrets: Secrets = new Map();
  let index = indexOf(secrets);
  return {
    add(secret, expires = Number.POSITIVE_INFINITY) {
      const parts = secretParts(secret);
      const over = [...secrets].filter(([, entry]) => entry.expires + MASKED_AFTER_EXPIRY_MS < now());
      for (const [old] of over) secrets.delete(old);
      if (over.length > 0) index = indexOf(secrets);
      try {
        extendIndex(index, parts);
      } catch (error) {
        index = indexOf(secrets);
        throw error;
      }
      secrets.set(secret, { parts, expires: Math.max(expires, secrets.get(secret)?.expires ?? 0) });
    },
    index: () => index,
    all: () => [...secrets.keys()],
  };
}

function indexOf(secrets: Secrets): MaskIndex {
  return maskIndex([...secrets.values()].flatMap(({ parts }) => parts));
}
