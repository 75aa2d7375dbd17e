import type { Algorithm } from '@mayfly/contracts/signing';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';

/** Takes an algorithm; gives a new key pair for it (RSA 2048 or P-256), `kid` its RFC 7638 thumbprint. */
export async function generateSigningKey(alg: Algorithm): Promise<{ kid: string; alg: Algorithm; jwk: JWK }> {
  const { privateKey } = await generateKeyPair(alg, { modulusLength: 2048, extractable: true });
  const jwk = await exportJWK(privateKey);
  return { kid: await calculateJwkThumbprint(jwk), alg, jwk };
}
