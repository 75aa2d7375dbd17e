import { createPrivateKey, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import type { NewKey } from './keyring.ts';
import { toP1363 } from './to-p1363.ts';

/** The keys of a thread. Each is imported once: signing with text of a key costs three times as much. */
export type ThreadKeys = {
  learn(key: NewKey): void;
  forget(kids: readonly string[]): void;
  kids(): string[];
  /** Gives the signature of `input` as base64url (RFC 7518 §3.3, §3.4); null where the key is not known. */
  sign(kid: string, input: string): string | null;
};

/** Gives the keys of this thread: none yet. */
export function threadKeys(): ThreadKeys {
  const keys = new Map<string, KeyObject>();
  return {
    learn({ kid, jwk }) {
      if (!keys.has(kid)) keys.set(kid, createPrivateKey({ key: jwk as JsonWebKey, format: 'jwk' }));
    },
    forget(kids) {
      for (const kid of kids) keys.delete(kid);
    },
    kids: () => [...keys.keys()],
    sign(kid, input) {
      const key = keys.get(kid);
      if (!key) return null;
      const signature = sign('sha256', Buffer.from(input, 'latin1'), key);
      return (key.asymmetricKeyType === 'ec' ? toP1363(signature) : signature).toString('base64url');
    },
  };
}
