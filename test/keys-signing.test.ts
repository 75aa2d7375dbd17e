import { issuerUrl } from '@mayfly/contracts/issuer-url';
import type { NatsConnection } from '@nats-io/transport-node';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  idTokenClaims,
  readKeySet,
  signIdToken,
  signIdTokens,
  signStatusList,
  statusListClaims,
} from './keys-requests.ts';
import { type KeysSystem, keysSystem } from './keys-system.ts';

let system: KeysSystem;
let issuer: NatsConnection;
let publisher: NatsConnection;
beforeAll(async () => {
  system = await keysSystem();
  [issuer, publisher] = await Promise.all([system.connectAs('issuer'), system.connectAs('jwks-publisher')]);
});
afterAll(() => system[Symbol.asyncDispose]());

test('jose verifies every kind of signature, single and in batches, against the published key set', async () => {
  const keySet = createLocalJWKSet({ keys: (await readKeySet(publisher)).keys });
  const iss = issuerUrl(system.baseUrl, 'acme');

  for (const alg of ['RS256', 'ES256'] as const) {
    const batch = await signIdTokens(
      issuer,
      Array.from({ length: 64 }, () => idTokenClaims()),
      alg,
    );
    for (const signed of [...batch, await signIdToken(issuer, alg)]) {
      const { token } = signed as { token: string };
      const { protectedHeader } = await jwtVerify(token, keySet, {
        issuer: iss,
        typ: 'JWT',
        algorithms: [alg],
      });
      expect(new Set(Object.keys(protectedHeader))).toEqual(new Set(['alg', 'kid', 'typ']));
    }
  }
  const list = (await signStatusList(publisher, statusListClaims(system.baseUrl))) as { token: string };
  const { payload } = await jwtVerify(list.token, keySet, { issuer: iss, typ: 'statuslist+jwt' });
  expect(new Set(Object.keys(payload))).toEqual(new Set(['iss', ...Object.keys(statusListClaims(''))]));
});

test('a status list is signed only for its own source, for an hour at most, and with nothing else in it', async () => {
  const good = statusListClaims(system.baseUrl);
  const bad = [
    { ...good, sub: good.sub.replace('acme', 'other') },
    { ...good, exp: good.iat + 3601 },
    { ...good, exp: good.iat },
    { ...good, ttl: 121 },
    { ...good, iat: good.iat - 3600 },
    { ...good, aud: 'https://api.example.com' },
    { ...good, status_list: { ...good.status_list, aggregation_uri: 'https://evil.example' } },
  ];

  for (const claims of bad)
    expect(await signStatusList(publisher, claims)).toMatchObject({ error: 'invalid_request' });
  expect(await signStatusList(publisher, good)).toHaveProperty('token');
});

test('the issuer has no status list signed, and jwks-publisher no ID token', async () => {
  await expect(signStatusList(issuer, statusListClaims(system.baseUrl))).rejects.toThrow(/permission/i);
  await expect(signIdToken(publisher)).rejects.toThrow(/permission/i);
});
