import { checkBuildRunning, type RunningBuild } from '@mayfly/contracts/events';
import type { JetStreamClient } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { announcer } from './announce.ts';

const NOW = 1_795_000_000_000;
const running = (id: string): RunningBuild => ({ id, attempt: 1, is_awaited: true });

/** A stream in memory: what it was given, as it was told apart; it fails where it is told to. */
function stream(isFailing = (_source: string) => false) {
  const told: [source: string, ids: string[]][] = [];
  const publish = (async (_eventName: string, body: string) => {
    const { source, data } = checkBuildRunning.parse(JSON.parse(body));
    if (isFailing(source)) throw new Error('no room');
    told.push([source, data.builds.map(({ id }) => id)]);
  }) as unknown as JetStreamClient['publish'];
  return { told, announce: announcer({ publish }, () => NOW) };
}

test('builds that are found running in one turn are told together, each source by itself, eight at most', async () => {
  const { told, announce } = stream();
  const ids = Array.from({ length: 10 }, (_, index) => `b${index}`);

  await Promise.all([
    ...ids.map((id) => announce.running('acme', running(id))),
    announce.running('other', running('o')),
  ]);
  await announce.running('acme', running('later'));

  expect(told).toEqual([
    ['acme', ids.slice(0, 8)],
    ['acme', ids.slice(8)],
    ['other', ['o']],
    ['acme', ['later']],
  ]);
});

test('what could not be stored fails for each build that was in it, and for no other', async () => {
  const { told, announce } = stream((source) => source === 'acme');

  const results = await Promise.allSettled([
    announce.running('acme', running('a')),
    announce.running('acme', running('b')),
    announce.running('other', running('o')),
  ]);

  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'fulfilled']);
  expect((results[0] as PromiseRejectedResult).reason).toMatchObject({ code: 'temporarily_unavailable' });
  expect(told).toEqual([['other', ['o']]]);
});
