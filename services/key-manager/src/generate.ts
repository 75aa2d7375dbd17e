import type { Algorithm } from '@mayfly/contracts/signing';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import type { NewKey } from './keyring.ts';

/** Takes an algorithm; gives a new key pair for it (RSA 2048 or P-256), `kid` its RFC 7638 thumbprint. */
export async function generateSigningKey(alg: Algorithm): Promise<NewKey> {
  const { privateKey } = await generateKeyPair(alg, { modulusLength: 2048, extractable: true });
  const jwk = await exportJWK(privateKey);
  return { kid: await calculateJwkThumbprint(jwk), alg, jwk };
}

/**
 * Takes a way to make keys; gives one that has a spare of each algorithm ready, made ahead, so that whoever revokes a
 * key does not wait for prime numbers. A spare is stored nowhere before it is given, and is given once.
 */
export function withSpares(
  generate: (alg: Algorithm) => Promise<NewKey>,
): (alg: Algorithm) => Promise<NewKey> {
  const spares = new Map<Algorithm, Promise<NewKey>>();
  const makeSpare = (alg: Algorithm) => {
    const spare = generate(alg);
    spare.catch(() => spares.delete(alg));
    spares.set(alg, spare);
  };
  return async (alg) => {
    const spare = spares.get(alg) ?? generate(alg);
    makeSpare(alg);
    return await spare;
  };
}
