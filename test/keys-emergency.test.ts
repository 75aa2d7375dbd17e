import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { connect } from '@nats-io/transport-node';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { command } from './keys-requests.ts';
import { isActive, knownActive, requestToken } from './relying-party.ts';
import { testSystem } from './system.ts';

const AUDIENCE = 'https://api.example.com';

test('once a key is revoked its tokens are inactive, its JWKS is without it, and a build goes on with a key that verifies', async () => {
  await using system = await testSystem({ replicas: 2 });
  await using ci = await connectCi(system);
  const operator = await connect({
    servers: [system.natsUrl],
    user: 'operator',
    pass: system.secret('nats-operator'),
    inboxPrefix: '_INBOX.operator',
  });
  await ci.start({ id: 'build' });
  const grant = await ci.heard('build');
  const token = grant.data.id_tokens['API_TOKEN'] as string;
  const { kid = '' } = decodeProtectedHeader(token);
  const publishers = system.names.filter((name) => name.startsWith('jwks-publisher'));
  for (const at of publishers) expect(await knownActive(system, token, { at })).toBe(true);
  // As a relying party keeps it: fetched before the key was revoked.
  const keySet = createRemoteJWKSet(new URL(`${issuerUrl(system.urlOf('jwks-publisher'), 'acme')}/jwks`), {
    cooldownDuration: 0,
  });
  const options = { issuer: issuerUrl(system.baseUrl, 'acme'), audience: AUDIENCE };
  await jwtVerify(token, keySet, options);

  const start = performance.now();
  expect(await command(operator, 'revoke', { kid, reason: 'test' })).toHaveProperty('keys');
  const isOut = async (at: string) => (await isActive(system, token, { at })) === false;
  await Promise.all(publishers.map((at) => eventually(() => isOut(at), 'inactive token', 5000)));
  const inactiveAfter = performance.now() - start;
  const isGone = async (at: string) => {
    const response = await fetch(`${issuerUrl(system.urlOf(at), 'acme')}/jwks`);
    return response.status === 200 && !(await response.text()).includes(kid);
  };
  await Promise.all(publishers.map((at) => eventually(() => isGone(at), 'key set without the key')));
  const goneAfter = performance.now() - start;
  const more = await eventually(async () => {
    const { status, body } = await requestToken(system, grant, `audience=${encodeURIComponent(AUDIENCE)}`);
    const value = body['value'] as string;
    // The replica that was not asked signs for a second at the most, what nobody who asks takes.
    return status === 200 && decodeProtectedHeader(value).kid !== kid && value;
  }, 'token by another key');

  expect(decodeProtectedHeader(more).kid).not.toBe(kid);
  await jwtVerify(more, keySet, options);
  // The verifier that asked again for the unknown kid has dropped the stolen key with it.
  await expect(jwtVerify(token, keySet, options)).rejects.toThrow();
  expect(await knownActive(system, more)).toBe(true);
  console.log(
    `revoked: inactive after ${inactiveAfter.toFixed(0)} ms, out of every key set after ${goneAfter.toFixed(0)} ms`,
  );
  await operator.close();
});
