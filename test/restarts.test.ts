import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { knownActive, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
const LEAST_BUILDS = 60;
const PACE_MS = 5;
/** How often a build starts after that, until the part is back: each is looked at afterwards. */
const SLOW_PACE_MS = 100;
let system: TestSystem;
beforeAll(async () => {
  system = await testSystem();
});
afterAll(() => system[Symbol.asyncDispose]());

const PARTS = ['key-manager', 'build-lifecycle', 'issuer', 'jwks-publisher', 'nats', 'redis'];

test.for(PARTS)(
  'killing %s in the middle of a stream of builds leaves no running build without a token and no finished one active',
  { timeout: 180_000 },
  async (part) => {
    await using ci = await connectCi(system);
    let isBack = false;
    const restarted = restart(part).finally(() => {
      isBack = true;
    });
    restarted.catch(() => undefined);
    const ids: string[] = [];
    for (let index = 0; !isBack || index < LEAST_BUILDS; index++) {
      const id = `${part}-${index}`;
      await publishUntilStored(() => ci.start({ id, eventId: `start-${id}` }));
      ids.push(id);
      await new Promise((resolve) => setTimeout(resolve, index < LEAST_BUILDS ? PACE_MS : SLOW_PACE_MS));
    }
    await restarted;
    const [finished, running] = [ids.slice(0, ids.length / 2), ids.slice(ids.length / 2)];
    for (const id of finished) await publishUntilStored(() => ci.finish(id));

    for (const id of running) {
      const grant = await eventually(() => askGrant(ci, id), `grant of ${id}`);
      expect(await knownActive(system, grant.data.id_tokens['API_TOKEN'] as string)).toBe(true);
    }
    for (const id of finished) {
      await eventually(() => hasEnded(ci, id), `end of ${id}`);
      const grant = ci.grants.find(({ data }) => data.id === id);
      if (!grant) continue;
      expect(await knownActive(system, grant.data.id_tokens['API_TOKEN'] as string)).toBe(false);
      expect((await requestToken(system, grant, AUDIENCE)).status).toBe(401);
    }
  },
);

test('after everything is killed at once the same keys and builds are there again', async () => {
  await using ci = await connectCi(system);
  await ci.start({ id: 'survivor' });
  const token = (await ci.heard('survivor')).data.id_tokens['API_TOKEN'] as string;
  const keySetBefore = await keySet();

  await Promise.all(system.names.map((name) => system.kill(name)));
  await Promise.all(['nats', 'redis'].map((name) => system.start(name)));
  await Promise.all(system.names.slice(2).map((name) => system.start(name)));

  expect(await keySet()).toEqual(keySetBefore);
  expect(await knownActive(system, token)).toBe(true);
});

async function restart(part: string): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, PACE_MS * 20));
  await system.kill(part);
  await system.start(part);
}

async function publishUntilStored(publish: () => Promise<unknown>): Promise<void> {
  await eventually(
    () =>
      publish().then(
        () => true,
        () => false,
      ),
    'acknowledged event',
    30_000,
  );
}

const askGrant = (ci: Ci, id: string) => ci.askGrant(id).catch(() => undefined);

function hasEnded(ci: Ci, id: string): Promise<boolean> {
  return ci.askGrant(id).then(
    (grant) => grant === undefined,
    () => false,
  );
}

async function keySet(): Promise<unknown> {
  return await (await fetch(`${system.urlOf('jwks-publisher')}/acme/jwks`)).json();
}
