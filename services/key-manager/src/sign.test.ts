import { ServiceError } from '@mayfly/contracts/errors';
import { expect, test } from 'vitest';
import type { Keyring } from './keyring.ts';
import { type Signer, signIdToken } from './sign.ts';

const NOW = 1_800_000_000;
const CLAIMS = { sub: 's', aud: 'a', jti: 'j', iat: NOW, nbf: NOW, exp: NOW + 300 };
const TOKEN = { source: 'acme', alg: 'ES256', claims: CLAIMS } as const;

function signerAt(now: number, keyring: Keyring | undefined): Signer {
  return {
    bounds: () => ({ issuer: 'https://ci.example/acme', claims: new Set(), maxLifetimeSeconds: 300 }),
    now: () => now,
    custody: { sign: () => Promise.reject(new Error('nothing is to be signed')) },
    views: {
      now: () => keyring,
      confirmed: () =>
        Promise.reject(new ServiceError('temporarily_unavailable', 'the keyring cannot be confirmed')),
    },
  };
}

test('whose clock is not known to be right calls no time wrong', async () => {
  await expect(signIdToken(TOKEN, signerAt(NOW + 3600, undefined))).rejects.toMatchObject({
    code: 'temporarily_unavailable',
  });
});

test('whose clock is right refuses times that are not', async () => {
  const keyring = { source: 'acme', keys: [] } as unknown as Keyring;
  await expect(signIdToken(TOKEN, signerAt(NOW + 3600, keyring))).rejects.toMatchObject({
    code: 'invalid_request',
  });
});
