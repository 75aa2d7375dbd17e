import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { commandAs } from './operator.ts';
import { answerOf, isActive, knownActive, knownAnswer, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const POLICY = `
sources:
  acme: { audiences: [https://api.example.com], build_timeout: 1h }
  beating: { audiences: [https://api.example.com], heartbeat: 4s }
  rarely: { audiences: [https://api.example.com], heartbeat: 8s }
relying_parties:
  api: { audiences: [https://api.example.com] }
`;
let system: TestSystem;
let ci: Ci;
beforeAll(async () => {
  system = await testSystem({ policy: POLICY, replicas: 2 });
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const tokenOf = async (from: Ci, id: string) => (await from.heard(id)).data.id_tokens['API_TOKEN'] as string;
const endsLogged = async (id: string) => {
  const logs = await Promise.all(['build-lifecycle', 'build-lifecycle-2'].map((name) => system.log(name)));
  return logs
    .join('')
    .split('\n')
    .filter((line) => line.includes('"build ended"') && line.includes(`"${id}"`)).length;
};

test('a build that nobody finishes ends at the deadline it asked for, once, and no token outlives it', async () => {
  const started = Date.now();
  await ci.start({ id: 'forgotten', build: { timeout_seconds: 8 } });
  const stored = Date.now();
  const token = await tokenOf(ci, 'forgotten');
  expect((decodeJwt(token).exp as number) * 1000).toBeLessThanOrEqual(stored + 8000);
  expect(await knownActive(system, token)).toBe(true);

  await eventually(async () => (await isActive(system, token)) === false, 'end');
  // `exp` is in whole seconds: up to one second before the deadline.
  expect(Date.now() - started).toBeGreaterThan(6950);
  await eventually(async () => (await endsLogged('forgotten')) === 1, 'ended event');
  await ci.start({ id: 'later' });
  await ci.heard('later');
  expect(await endsLogged('forgotten')).toBe(1);
});

/** Sends heartbeats of a build from now on, whatever the test waits for meanwhile; gives what stops them. */
function keepBeating({ nats, source }: Ci, id: string): () => void {
  const beats = setInterval(
    () => nats.isClosed() || nats.publish(`ci.${source}.heartbeat`, JSON.stringify({ builds: [id] })),
    100,
  );
  return () => clearInterval(beats);
}

/** Sends a heartbeat of a build; gives what is answered by whoever can know. */
const beaten = ({ nats, source }: Ci, id: string): Promise<unknown> =>
  eventually(async () => {
    const beat = JSON.stringify({ builds: [id] });
    const answer = (await nats.request(`ci.${source}.heartbeat`, beat, { timeout: 5000 })).json<object>();
    return !('error' in answer) && answer;
  }, 'answer to a heartbeat');

test('a build whose heartbeats stop ends after the interval, and one that is named in them runs on', async () => {
  await using beating = await connectCi(system, 'beating');
  const [stopAlive, stopDead] = ['alive', 'dead'].map((id) => keepBeating(beating, id));
  await beating.start({ id: 'alive' });
  await beating.start({ id: 'dead' });
  const [alive, dead] = [await tokenOf(beating, 'alive'), await tokenOf(beating, 'dead')];
  const at = { source: 'beating' };
  expect(await knownActive(system, dead, at)).toBe(true);
  stopDead?.();

  await eventually(async () => (await isActive(system, dead, at)) === false, 'end of the silent', 40_000);

  expect(await knownActive(system, alive, at)).toBe(true);
  expect(await beaten(beating, 'alive')).toEqual({ running: 1, expected: true });
  stopAlive?.();
});

test('heartbeats may come over HTTP, one source says them of its own builds alone, and a thousand of the longest ids fit', async () => {
  await using beating = await connectCi(system, 'beating');
  const beat = (source: string, builds: string[]) =>
    knownAnswer(async () =>
      answerOf(
        await fetch(`${system.urlOf('build-lifecycle')}/heartbeat`, {
          method: 'POST',
          headers: {
            authorization: `Basic ${Buffer.from(`${source}:${system.secret(`source-${source}`)}`).toString('base64')}`,
            'content-type': 'application/json',
          },
          body: JSON.stringify({ builds }),
        }),
      ),
    );
  const stopBeating = keepBeating(beating, 'by-http');
  await beating.start({ id: 'by-http' });
  const token = await tokenOf(beating, 'by-http');
  const at = { source: 'beating' };
  stopBeating();
  const began = Date.now();

  // Longer than an interval, by HTTP alone.
  await eventually(
    async () => {
      expect((await beat('beating', ['by-http'])).body).toEqual({ running: 1, expected: true });
      return Date.now() - began > 6000;
    },
    'time for a heartbeat to be missed',
    40_000,
  );
  expect(await knownActive(system, token, at)).toBe(true);
  expect((await beat('rarely', ['by-http'])).body).toEqual({ running: 0, expected: true });
  expect((await beat('acme', ['by-http'])).body).toEqual({ running: 0, expected: false });
  const long = Array.from({ length: 1000 }, (_, index) => `${'x'.repeat(124)}${1000 + index}`);
  expect(await beat('beating', long)).toMatchObject({ status: 200, body: { running: 0 } });
  expect((await beat('beating', [...long, 'one-more'])).body['error']).toBe('invalid_request');

  await eventually(async () => (await isActive(system, token, at)) === false, 'end of the silent', 40_000);
});

test('a missing heartbeat does not count while nobody could hear it', async () => {
  await using beating = await connectCi(system, 'rarely');
  // Until both replicas are gone: the one that is left for a while would hear that nothing comes.
  const stopBeating = keepBeating(beating, 'unheard');
  await beating.start({ id: 'unheard' });
  const token = await tokenOf(beating, 'unheard');
  for (const name of ['build-lifecycle', 'build-lifecycle-2']) await system.kill(name);
  stopBeating();
  const silent = Date.now();
  await eventually(() => Date.now() - silent > 8500, 'time for a heartbeat to be missed');

  const starting = Promise.all(['build-lifecycle', 'build-lifecycle-2'].map((name) => system.start(name)));
  starting.catch(() => undefined);
  expect(await knownActive(system, token, { source: 'rarely' })).toBe(true);
  // Sweeps come every 250 ms, so that some have come now, and the interval of those who hear again is not over.
  const known = Date.now();
  await eventually(() => Date.now() - known > 1000, 'time for a sweep');
  expect(await beaten(beating, 'unheard')).toEqual({ running: 1, expected: true });
  expect(await knownActive(system, token, { source: 'rarely' })).toBe(true);
  await starting;
});

test('an operator ends a build, and who asked is logged', async () => {
  await ci.start({ id: 'revoked' });
  const token = await tokenOf(ci, 'revoked');

  const answer = await commandAs(system, 'builds.revoke', {
    source: 'acme',
    id: 'revoked',
    attempt: 1,
    by: 'ada',
    note: 'test',
  });

  expect(answer).toEqual({ source: 'acme', id: 'revoked', attempt: 1, reason: 'operator' });
  await eventually(async () => (await isActive(system, token)) === false, 'end');
  // An engine of containers hands out what was logged a little later than it was.
  const isLogged = async () => {
    const logs = await Promise.all(['build-lifecycle', 'build-lifecycle-2'].map((name) => system.log(name)));
    return /"by":"ada".*"build revoked"/.test(logs.join(''));
  };
  await eventually(isLogged, 'line in the log that says who asked');
  expect(await commandAs(system, 'builds.revoke', { source: 'acme', id: 'revoked' })).toMatchObject({
    error: 'not_found',
  });
});

test('whoever holds the request token of a build can report it leaked, and the build ends', async () => {
  await ci.start({ id: 'leaked' });
  const grant = await ci.heard('leaked');
  const report = (token: string) =>
    fetch(`${system.urlOf('issuer')}/leak`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'found in a log' }),
    }).then(answerOf);
  const reported = (token: string) => knownAnswer(() => report(token));

  expect((await reported('mfr_none')).status).toBe(401);
  expect((await reported(grant.data.id_token_request_token)).status).toBe(202);

  await eventually(
    async () => (await isActive(system, grant.data.id_tokens['API_TOKEN'] as string)) === false,
    'end',
  );
  expect((await requestToken(system, grant, 'audience=https%3A%2F%2Fapi.example.com')).status).toBe(401);
});
