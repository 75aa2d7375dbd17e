import { createHash } from 'node:crypto';
import { CompactEncrypt, compactDecrypt } from 'jose';
import type { Keyring } from './keyring.ts';

/** Seals keyrings for rest and opens them again. */
export type Seal = {
  close(keyring: Keyring): Promise<string>;
  /** Throws where the text was not sealed under this key, for this source. */
  open(source: string, sealed: string): Promise<Keyring>;
};

/** Takes the key-encryption key, 64 hexadecimal digits; gives the seal: a compact JWE (RFC 7516), `dir`, A256GCM. */
export function keyringSeal(hex: string): Seal {
  if (!/^[0-9a-f]{64}$/i.test(hex))
    throw new TypeError('settings: KEY_ENCRYPTION_KEY_FILE must hold 64 hexadecimal digits');
  const key = Buffer.from(hex, 'hex');
  const kid = createHash('sha256').update(key).digest('base64url').slice(0, 16);
  return {
    async close(keyring) {
      const header = { alg: 'dir', enc: 'A256GCM', kid, typ: 'mayfly-keyring' };
      return await new CompactEncrypt(Buffer.from(JSON.stringify(keyring)))
        .setProtectedHeader(header)
        .encrypt(key);
    },
    async open(source, sealed) {
      const { plaintext } = await compactDecrypt(sealed, key, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      const keyring = JSON.parse(new TextDecoder().decode(plaintext)) as Keyring;
      if (keyring.source !== source) throw new TypeError('the keyring is of another source');
      return keyring;
    },
  };
}
