import type { Algorithm } from '@mayfly/contracts/signing';
import type { NewKey } from './keyring.ts';

/**
 * Where private keys live and sign: in this process (`custody-local.ts`), or in a KMS or an HSM, whose driver is one
 * file that gives another of these. What a driver needs to find a key again it puts into the key's `jwk`, beside the
 * public members; that is sealed with the keyring and never published.
 */
export type KeyCustody = {
  /** Makes a key (RSA 2048 or P-256), `kid` its RFC 7638 thumbprint. */
  generate(alg: Algorithm): Promise<NewKey>;
  /** Signs the ASCII of `input` (RFC 7515 §5.1); gives the signature as base64url, an ES256 one with the lower S. */
  sign(key: NewKey, input: string): Promise<string>;
  /** Lets go of every key but these. */
  keepOnly(kids: ReadonlySet<string>): void;
  close(): Promise<void>;
};
