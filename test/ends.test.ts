import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { commandAs } from './operator.ts';
import { answerOf, isActive, knownActive, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const POLICY = `
sources:
  acme: { audiences: [https://api.example.com], build_timeout: 1h }
  beating: { audiences: [https://api.example.com], heartbeat: 1s }
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
  await ci.start({ id: 'forgotten', build: { timeout_seconds: 2 } });
  const token = await tokenOf(ci, 'forgotten');
  expect((decodeJwt(token).exp as number) * 1000).toBeLessThanOrEqual(started + 3000);
  expect(await knownActive(system, token)).toBe(true);

  await eventually(async () => (await isActive(system, token)) === false, 'end');
  // `exp` is in whole seconds: up to one second before the deadline.
  expect(Date.now() - started).toBeGreaterThan(950);
  await eventually(async () => (await endsLogged('forgotten')) === 1, 'ended event');
  await ci.start({ id: 'later' });
  await ci.heard('later');
  expect(await endsLogged('forgotten')).toBe(1);
});

test('a build whose heartbeats stop ends after the interval, and one that is named in them runs on', async () => {
  await using beating = await connectCi(system, 'beating');
  await beating.start({ id: 'alive' });
  await beating.start({ id: 'dead' });
  const [alive, dead] = [await tokenOf(beating, 'alive'), await tokenOf(beating, 'dead')];
  const beat = async () =>
    (await beating.nats.request('ci.beating.heartbeat', JSON.stringify({ builds: ['alive'] }))).json();
  const at = { source: 'beating' };

  await eventually(async () => {
    expect(await beat()).toEqual({ running: 1, expected: true });
    return (await isActive(system, dead, at)) === false;
  }, 'end of the silent build');

  expect(await knownActive(system, alive, at)).toBe(true);
});

test('a missing heartbeat does not count while nobody could hear it', async () => {
  await using beating = await connectCi(system, 'beating');
  await beating.start({ id: 'unheard' });
  const token = await tokenOf(beating, 'unheard');
  for (const name of ['build-lifecycle', 'build-lifecycle-2']) await system.kill(name);
  const silent = Date.now();
  await eventually(() => Date.now() - silent > 1500, 'time for a heartbeat to be missed');

  // All the while, and not between one question and the next: these may take longer than a build may be silent.
  const beats = setInterval(
    () => beating.nats.publish('ci.beating.heartbeat', JSON.stringify({ builds: ['unheard'] })),
    100,
  );
  const starting = Promise.all(['build-lifecycle', 'build-lifecycle-2'].map((name) => system.start(name)));
  const answer = await eventually(async () => {
    const active = await isActive(system, token, { source: 'beating' });
    return active === undefined ? undefined : { active };
  }, 'answer that knows').finally(() => clearInterval(beats));
  await starting;

  expect(answer.active).toBe(true);
});

test('an operator ends a build, and who asked is logged', async () => {
  await ci.start({ id: 'revoked' });
  const token = await tokenOf(ci, 'revoked');

  const answer = await commandAs(system, 'builds.revoke', {
    source: 'acme',
    id: 'revoked',
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

  expect((await report('mfr_none')).status).toBe(401);
  expect((await report(grant.data.id_token_request_token)).status).toBe(202);

  await eventually(
    async () => (await isActive(system, grant.data.id_tokens['API_TOKEN'] as string)) === false,
    'end',
  );
  expect((await requestToken(system, grant, 'audience=https%3A%2F%2Fapi.example.com')).status).toBe(401);
});
