import { createSecretKey } from 'node:crypto';
import { ServiceError } from '@mayfly/contracts/errors';
import { PROFILES_DIR, readProfile } from '@mayfly/profiles/read';
import { expect, test, vi } from 'vitest';
import { announcementHandler } from './announcements.ts';

const profile = await readProfile(PROFILES_DIR, 'n8n');
const MESSAGE = {
  subject: 'build.running',
  data: Buffer.from(
    JSON.stringify({
      ...{ specversion: '1.0', id: 'e1', source: 'acme', type: 'dev.mayfly.build.running' },
      time: '2026-11-20T06:00:00Z',
      data: { builds: ['quick', 'slow'].map((id) => ({ id, attempt: 1, is_awaited: true })) },
    }),
  ),
};
const buildOf = (id: string) => ({
  ...{ source: 'acme', attempt: 1, seq: 1, digest: 'd', started_at: 0, deadline: 3_600_000, reply: 'runner' },
  build: { id, workflow: { id: 'w', name: 'nightly' }, execution: { id } },
  id_tokens: { A: { aud: 'a' } },
});

/** A handler whose signer fails for `slow` as often as it is told; what was published, and how often the connection changed. */
function handlerThatFails(times: number) {
  const published: string[] = [];
  const state = { failures: times, changes: 0 };
  const publish = (_subject: string, body: unknown) => {
    published.push((JSON.parse(String(body)) as { data: { id: string } }).data.id);
  };
  const sign = async ({ json }: { json: string }) => {
    if (json.includes('slow') && state.failures-- > 0)
      throw new ServiceError('temporarily_unavailable', 'not now');
    return 'signed';
  };
  const find = async ({ id }: { id: string }) => {
    const build = buildOf(id);
    return {
      record: { state: 'running' as const, attempt: 1, seq: 1, build },
      now: 0,
      stream: '2026-11-20T06:00:00Z',
    };
  };
  const granter = {
    sources: new Map([['acme', { policy: { audiences: ['a'] }, profile, watched: [] }]]),
    builds: { find, last: () => undefined, forget: () => undefined },
    names: { confirm: async () => undefined, isKnown: () => true },
    signer: { sign },
    budget: {
      take: async () => 0,
      giveBack: () => undefined,
      isAtHand: () => true,
      countAhead: () => undefined,
    },
    ...{ baseUrl: 'https://id.example', now: () => 0, clock: () => 0, newId: () => 'jti' },
    ...{ requestUrl: 'https://id.example/token', requestTokenKey: createSecretKey(Buffer.alloc(32, 7)) },
  };
  const bus = { nats: { publish }, changes: () => state.changes };
  const handle = announcementHandler({ bus, granter, issueLog: { granted: vi.fn() } }, { error: vi.fn() });
  return { handle, published, state };
}

test('where one of several builds has to be tried again, it alone is', async () => {
  const { handle, published } = handlerThatFails(2);

  for (let tries = 0; tries < 2; tries++) await expect(handle(MESSAGE)).rejects.toThrow('not now');
  const acknowledge = await handle(MESSAGE);

  expect(published).toEqual(['quick', 'slow']);
  expect(acknowledge).not.toThrow();
});

test('what was published before the connection changed is published again, and not acknowledged', async () => {
  const { handle, published, state } = handlerThatFails(1);
  await expect(handle(MESSAGE)).rejects.toThrow('not now');
  state.changes += 1;

  const acknowledge = await handle(MESSAGE);
  expect(published).toEqual(['quick', 'quick', 'slow']);
  state.changes += 1;

  expect(acknowledge).toThrow('may have been lost');
  (await handle(MESSAGE))();
  expect(published).toEqual(['quick', 'quick', 'slow', 'quick', 'slow']);
});

test('an announcement on another subject, or that is none, is refused for good', async () => {
  const { handle, published } = handlerThatFails(0);
  const other = { ...MESSAGE, subject: 'build.finished' };
  const single = {
    ...MESSAGE,
    data: Buffer.from(String(MESSAGE.data).replace(/"builds":.*$/, '"id":"quick"}}')),
  };

  await expect(handle(other)).rejects.toMatchObject({ code: 'access_denied' });
  await expect(handle(single)).rejects.toMatchObject({ code: 'invalid_request' });
  expect(published).toEqual([]);
});
