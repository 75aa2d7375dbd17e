import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { hearFeed } from './feed-listener.ts';
import { startedToken } from './introspect-callers.ts';
import { knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

let system: TestSystem;
let ci: Ci;

beforeAll(async () => {
  system = await testSystem();
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

const opened = (lastEventId = '', source = 'acme') =>
  eventually(async () => {
    const listener = await hearFeed(system, { lastEventId, source }).catch(() => undefined);
    if (listener?.status === 200) return listener;
    listener?.close();
    return undefined;
  }, 'open feed');

/** Starts a build and ends it; gives its token once the feed has told the end: introspection may know it earlier. */
async function endedBuild(id: string): Promise<string> {
  const token = await startedToken(ci, { id });
  const listener = await opened();
  await ci.finish(id);
  await eventually(() => listener.ended().includes(id), `end of ${id}`);
  listener.close();
  expect(await knownActive(system, token)).toBe(false);
  return token;
}

test('the feed opens with every build that ended, tells the next at once, and beats', async () => {
  const token = await endedBuild('before');
  const listener = await opened();
  await eventually(() => listener.events.find(({ event }) => event === 'beat'), 'beat');
  const opening = listener.events.map(({ event }) => event);

  expect(listener.headers.get('content-type')).toBe('text/event-stream');
  expect(opening.slice(0, 3)).toEqual(['build.finished', 'open', 'beat']);
  expect(listener.ended()).toEqual(['before']);
  const { data = {}, id } = listener.events[0] ?? {};
  expect(data).toMatchObject({
    iss: `${system.baseUrl}/acme`,
    build_id: 'before',
    attempt: 1,
    reason: 'success',
  });
  expect(data['finished_at']).toBeCloseTo(Date.now() / 1000, -2);
  expect(id).toMatch(/^\d+-\d{13}$/);
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
    jti: string;
  };
  expect(payload.jti.startsWith(data['jti_prefix'] as string)).toBe(true);

  await startedToken(ci, { id: 'live' });
  await ci.finish('live');
  await eventually(() => listener.ended().includes('live'), 'live end');
  const beats = () => listener.events.filter(({ event }) => event === 'beat').length;
  await eventually(() => beats() >= 2, 'second beat');
  listener.close();
});

test('the feed tells an end when it is stored, and not when it is looked for', async () => {
  const listener = await opened();
  const took: number[] = [];
  for (const id of ['t1', 't2', 't3', 't4', 't5']) {
    await startedToken(ci, { id });
    const finished = performance.now();
    await ci.finish(id);
    await eventually(() => listener.ended().includes(id), `end of ${id}`);
    took.push(performance.now() - finished);
  }
  listener.close();

  // Of ends that come one after the other, each but the first would have to wait for the look of the next second.
  expect(took.toSorted((one, other) => one - other)[1]).toBeLessThan(500);
});

test('whoever names the last event that it saw is told what came after it, and everything where that is unknown', async () => {
  await endedBuild('resume-1');
  const first = await opened();
  await eventually(() => first.events.some(({ event }) => event === 'open'), 'opening');
  expect(first.ended()).toContain('resume-1');
  first.close();
  const lastEventId = first.events.findLast(({ event }) => event === 'build.finished')?.id ?? '';
  await endedBuild('resume-2');

  const resumed = await opened(lastEventId);
  await eventually(() => resumed.events.some(({ event }) => event === 'open'), 'opening');
  expect(resumed.ended()).toEqual(['resume-2']);
  resumed.close();
  // Also one that stands there, but was stored at another time: of a stream that has been cut short since.
  const [seq = '', storedAt] = lastEventId.split('-');
  const others = [`${seq}-${Number(storedAt) - 1}`, seq];
  for (const unknown of [...others, '999999-1700000000000', 'x', '1-1']) {
    const whole = await opened(unknown);
    await eventually(() => whole.events.some(({ event }) => event === 'open'), 'opening');
    expect(whole.ended()).toEqual(expect.arrayContaining(['resume-1', 'resume-2']));
    whole.close();
  }
});

test('no source hears of the builds of another', async () => {
  const other = await opened('', 'other');
  await eventually(() => other.events.some(({ event }) => event === 'open'), 'opening');

  expect(other.ended()).toEqual([]);
  other.close();
});

test('nothing is lost while publisher, NATS and Redis are restarted, and no beat is sent that proves nothing', async () => {
  const listener = await opened();
  await startedToken(ci, { id: 'through-1' });
  await startedToken(ci, { id: 'through-2' });
  await startedToken(ci, { id: 'through-3' });

  await system.kill('redis');
  await ci.finish('through-1');
  const beats = () => listener.events.filter(({ event }) => event === 'beat').length;
  await eventually(async () => {
    const { status, close } = await hearFeed(system);
    close();
    return status === 503;
  }, 'refused opening');
  const beatsBefore = beats();
  await system.start('redis');
  await eventually(() => listener.ended().includes('through-1'), 'end from while Redis was gone');
  await eventually(() => beats() > beatsBefore, 'beat');

  await system.kill('jwks-publisher');
  await ci.finish('through-2');
  await eventually(() => !listener.isOpen(), 'broken feed');
  await system.kill('nats');
  await Promise.all([system.start('nats'), system.start('jwks-publisher')]);
  const isStored = () =>
    ci.finish('through-3').then(
      () => true,
      () => false,
    );
  await eventually(isStored, 'end that is stored');
  const again = await opened();
  await eventually(
    () => ['through-1', 'through-2', 'through-3'].every((id) => again.ended().includes(id)),
    'every end',
  );
  again.close();
});
