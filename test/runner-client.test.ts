import { randomUUID } from 'node:crypto';
import { type Client, connect } from '@mayfly/client/client';
import { STREAMS } from '@mayfly/contracts/bus';
import type { TokenGrant } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { openStreams } from './operator.ts';
import { isActive, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const API = 'https://api.example.com';
const POLICY = `
sources:
  acme: { audiences: [${API}], heartbeat: 3s }
relying_parties:
  api: { audiences: [${API}] }
`;
const ID_TOKENS = { API_TOKEN: { aud: API } };

let system: TestSystem;
let client: Client;
beforeAll(async () => {
  system = await testSystem({ policy: POLICY });
  client = await connect({ ...system.ciCredentials('acme'), source: 'acme' });
});
afterAll(async () => {
  await client?.close();
  await system?.[Symbol.asyncDispose]();
});

const build = () => ({ id: randomUUID(), repository: { id: '1', name: 'octo/hello' }, ref: 'refs/heads/main' });
const tokenOf = (grant: TokenGrant | undefined) => grant?.data.id_tokens['API_TOKEN'] as string;

test('start gives the grant of a build, whose token verifies; after finish it is dead', async () => {
  const { id, ...facts } = build();

  const grant = await client.start({ id, ...facts, id_tokens: ID_TOKENS });

  const issuer = issuerUrl(system.baseUrl, 'acme');
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const { payload } = await jwtVerify(tokenOf(grant), keys, { issuer, audience: API });
  expect(payload).toMatchObject({ repository: 'octo/hello', ref: 'refs/heads/main' });
  await client.finish(id, { outcome: 'success' });
  await eventually(async () => (await isActive(system, tokenOf(grant))) === false, 'end of the token');
});

test('a grant whose push was not heard in time is asked for, as soon as the issuer is back', async () => {
  await using impatient = await connect({
    ...system.ciCredentials('acme'),
    source: 'acme',
    answerWithinMs: 300,
  });
  await system.pause('issuer');
  const started = impatient.start({ ...build(), id_tokens: ID_TOKENS });
  const asked = await Promise.race([started.then(() => 'granted'), later(700, 'still waiting')]);
  await system.resume('issuer');

  expect(asked).toBe('still waiting');
  expect(await isActive(system, tokenOf(await started))).toBe(true);
});

test('a build lives as long as its heartbeats come, and ends when they stop', async () => {
  const [kept, left] = [build(), build()];
  const [one, other] = await Promise.all(
    [kept, left].map((each) => client.start({ ...each, id_tokens: ID_TOKENS })),
  );
  const beating = setInterval(() => client.heartbeat([kept.id]).catch(() => {}), 500);
  try {
    await eventually(
      async () => (await requestToken(system, other as TokenGrant, `audience=${API}`)).status === 401,
      'end of the build that is silent',
    );

    expect((await requestToken(system, one as TokenGrant, `audience=${API}`)).status).toBe(200);
  } finally {
    clearInterval(beating);
  }
});

test('a finish that is said while NATS is gone is said again until it is acknowledged, and is stored once', async () => {
  const { id, ...facts } = build();
  const grant = await client.start({ id, ...facts, id_tokens: ID_TOKENS });
  await using streams = await openStreams(system);
  const before = (await streams.lastSequences())[STREAMS.builds] as number;
  await system.kill('nats');

  const finished = client.finish(id);
  const meanwhile = await Promise.race([finished.then(() => 'acknowledged'), later(500, 'still trying')]);
  await system.start('nats');
  await finished;

  expect(meanwhile).toBe('still trying');
  await eventually(async () => (await isActive(system, tokenOf(grant))) === false, 'end of the token');
  const last = (await streams.lastSequences())[STREAMS.builds] as number;
  const ends = await Promise.all(
    Array.from({ length: last - before }, async (_, at) => {
      const message = await streams.main.streams.getMessage(STREAMS.builds, { seq: before + 1 + at });
      return message?.json<{ data: { id?: string } }>().data.id;
    }),
  );
  expect(ends.filter((each) => each === id)).toHaveLength(1);
});

async function later<T>(ms: number, value: T): Promise<T> {
  return await new Promise((resolve) => setTimeout(resolve, ms, value));
}
