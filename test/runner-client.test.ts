import { randomUUID } from 'node:crypto';
import { openBus } from '@mayfly/client/bus';
import { type Client, clientOver, connect } from '@mayfly/client/client';
import { publishOnce } from '@mayfly/client/publish';
import { EVENT_NAMES, STREAMS } from '@mayfly/contracts/bus';
import type { TokenGrant } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { openStreams } from './operator.ts';
import { isActive, knownActive, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const API = 'https://api.example.com';
const POLICY = `
sources:
  acme: { audiences: [${API}] }
  beating: { audiences: [${API}], heartbeat: 4s }
relying_parties:
  api: { audiences: [${API}] }
`;
const PATIENCE = { answerWithinMs: 2_000, giveUpAfterMs: 30_000 };
const ID_TOKENS = { API_TOKEN: { aud: API } };

let system: TestSystem;
let client: Client;
beforeAll(async () => {
  // One of each on any engine: an issuer that is paused here must be all that there is of it.
  system = await testSystem({ policy: POLICY, replicas: 1 });
  client = await connect({ ...system.ciCredentials('acme'), source: 'acme' });
});
afterAll(async () => {
  await client.close();
  await system[Symbol.asyncDispose]();
});

const build = () => ({
  id: randomUUID(),
  repository: { id: '1', name: 'octo/hello' },
  ref: 'refs/heads/main',
});
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

test('a grant whose push is lost is asked for, until the issuer is back', async () => {
  const bus = await openBus(system.ciCredentials('acme'));
  const deaf: typeof bus = { ...bus, listen: async () => () => {} };
  await using impatient = clientOver(deaf, 'acme', { ...PATIENCE, answerWithinMs: 300 });
  await system.pause('issuer');
  const started = impatient.start({ ...build(), id_tokens: ID_TOKENS });
  const meanwhile = await Promise.race([started.then(() => 'granted'), later(700, 'still asking')]);
  await system.resume('issuer');

  expect(meanwhile).toBe('still asking');
  expect(await knownActive(system, tokenOf(await started))).toBe(true);
});

test('a build lives as long as its heartbeats come, and ends when they stop', async () => {
  await using ci = await connect({ ...system.ciCredentials('beating'), source: 'beating' });
  const [kept, left] = [build(), build()];
  const beating = setInterval(() => ci.heartbeat([kept.id]).catch(() => {}), 200);
  try {
    const [one, other] = await Promise.all(
      [kept, left].map((each) => ci.start({ ...each, id_tokens: ID_TOKENS })),
    );
    await eventually(
      async () => (await requestToken(system, other as TokenGrant, `audience=${API}`)).status === 401,
      'end of the build that is silent',
      40_000,
    );

    expect((await requestToken(system, one as TokenGrant, `audience=${API}`)).status).toBe(200);
  } finally {
    clearInterval(beating);
  }
});

test('a finish that is said while NATS is gone is said again until it is acknowledged, and is stored once', async () => {
  const { id, ...facts } = build();
  const grant = await client.start({ id, ...facts, id_tokens: ID_TOKENS });
  await system.kill('nats');

  const finished = client.finish(id);
  const meanwhile = await Promise.race([finished.then(() => 'acknowledged'), later(500, 'still trying')]);
  await system.start('nats');
  await finished;

  expect(meanwhile).toBe('still trying');
  await eventually(async () => (await isActive(system, tokenOf(grant))) === false, 'end of the token');
  expect(await storedEnds(id)).toBe(1);
});

test('a start that is said while NATS is gone is said again until it is acknowledged, and its grant comes', async () => {
  await system.kill('nats');

  const started = client.start({ ...build(), id_tokens: ID_TOKENS });
  started.catch(() => undefined);
  const meanwhile = await Promise.race([started.then(() => 'granted'), later(1000, 'still trying')]);
  await system.start('nats');

  expect(meanwhile).toBe('still trying');
  expect(await knownActive(system, tokenOf(await started))).toBe(true);
});

test('a finish whose acknowledgement is lost is said again under the same id, and is stored once', async () => {
  const bus = await openBus(system.ciCredentials('acme'));
  let published = 0;
  const deaf: typeof bus = {
    ...bus,
    async publish(...event) {
      const answer = await bus.publish(...event);
      published += 1;
      if (published === 1) throw new Error('the acknowledgement is lost');
      return answer;
    },
  };
  await using forgetful = clientOver(deaf, 'acme', PATIENCE);
  const { id } = build();

  await forgetful.finish(id);

  expect(published).toBe(2);
  expect(await storedEnds(id)).toBe(1);
});

test('an id that somebody has used before makes the first publish of an event an error', async () => {
  const bus = await openBus(system.ciCredentials('acme'));
  try {
    const event = {
      specversion: '1.0',
      id: randomUUID(),
      source: 'acme',
      type: 'dev.mayfly.ci.build.finished',
      time: new Date().toISOString(),
      data: { id: build().id },
    };
    const publish = () => publishOnce(bus, EVENT_NAMES.finished('acme'), event, PATIENCE);
    await publish();

    await expect(publish()).rejects.toMatchObject({ code: 'conflict' });
  } finally {
    await bus.close();
  }
});

/** How often the end of a build stands in the stream. */
async function storedEnds(id: string): Promise<number> {
  await using streams = await openStreams(system);
  const last = (await streams.lastSequences())[STREAMS.builds] as number;
  const bodies = await Promise.all(
    Array.from({ length: last }, async (_, at) => {
      const message = await streams.main.streams.getMessage(STREAMS.builds, { seq: at + 1 });
      return message?.json<{ type: string; data: { id?: string } }>();
    }),
  );
  return bodies.filter((body) => body?.type === 'dev.mayfly.ci.build.finished' && body.data.id === id).length;
}

async function later<T>(ms: number, value: T): Promise<T> {
  return await new Promise((resolve) => setTimeout(resolve, ms, value));
}
