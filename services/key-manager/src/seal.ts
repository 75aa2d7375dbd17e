import { createHash } from 'node:crypto';
import { CompactEncrypt, compactDecrypt, decodeProtectedHeader } from 'jose';
import type { Keyring } from './keyring.ts';

/** Seals keyrings for rest and opens them again. */
export type Seal = {
  close(keyring: Keyring): Promise<string>;
  /** Throws where the text was not sealed under one of these keys, for this source. */
  open(source: string, sealed: string, revision: number): Promise<Keyring>;
  /** Names the key that seals, and gives nothing of it away. */
  kid: string;
  /** Says whether the text is sealed under the first key, the one that seals. */
  isCurrent(sealed: string): boolean;
};

type KeyEncryptionKey = { kid: string; bytes: Uint8Array };

/**
 * Takes the key-encryption keys, one or two lines of 64 hexadecimal digits: the first seals, both open. Gives the seal:
 * a compact JWE (RFC 7516), `dir`, A256GCM.
 */
export function keyringSeal(text: string): Seal {
  const sealing = readKeys(text);
  const [first] = sealing as [KeyEncryptionKey];
  return {
    kid: first.kid,
    async close(keyring) {
      const header = { alg: 'dir', enc: 'A256GCM', kid: first.kid, typ: TYPE };
      return await new CompactEncrypt(Buffer.from(JSON.stringify(keyring)))
        .setProtectedHeader(header)
        .encrypt(first.bytes);
    },
    async open(source, sealed, revision) {
      const { kid } = decodeProtectedHeader(sealed);
      const key = sealing.find((one) => one.kid === kid);
      if (!key) throw new TypeError('the keyring is sealed under another key-encryption key');
      const { plaintext, protectedHeader } = await compactDecrypt(sealed, key.bytes, {
        keyManagementAlgorithms: ['dir'],
        contentEncryptionAlgorithms: ['A256GCM'],
      });
      const keyring = JSON.parse(new TextDecoder().decode(plaintext)) as Partial<Keyring>;
      if (protectedHeader.typ !== TYPE || keyring.source !== source)
        throw new TypeError('the keyring is of another source');
      const { version = revision, keys = [], revoked = [] } = keyring;
      return { source, version, keys, revoked };
    },
    isCurrent: (sealed) => decodeProtectedHeader(sealed).kid === first.kid,
  };
}

const TYPE = 'mayfly-keyring';

function readKeys(text: string): KeyEncryptionKey[] {
  const lines = text.split('\n').map((line) => line.trim());
  const isEach = lines.every((line) => /^[0-9a-f]{64}$/i.test(line));
  if (!isEach || lines.length > 2)
    throw new TypeError(
      'settings: KEY_ENCRYPTION_KEY_FILE must hold one or two lines of 64 hexadecimal digits',
    );
  return lines.map((line) => {
    const bytes = Buffer.from(line, 'hex');
    return { kid: createHash('sha256').update(bytes).digest('base64url').slice(0, 16), bytes };
  });
}
