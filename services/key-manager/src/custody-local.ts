import type { KeyCustody } from './custody.ts';
import { generateSigningKey, withSpares } from './generate.ts';
import { signPool } from './sign-pool.ts';

/** Keeps private keys in the memory of this process: at rest they are in the sealed keyring, whole. */
export function localCustody(): KeyCustody {
  const pool = signPool();
  return {
    generate: withSpares(generateSigningKey),
    sign: pool.sign,
    keepOnly: pool.keepOnly,
    close: pool.close,
  };
}
