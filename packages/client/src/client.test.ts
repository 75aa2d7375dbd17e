import { expect, test } from 'vitest';
import { clientOver } from './client.ts';
import { fakeBus } from './testing.ts';

const PATIENCE = { answerWithinMs: 20, giveUpAfterMs: 2_000 };
const BUILD = { id: '42', repository: { name: 'octo/hello' } };
const ID_TOKENS = { VAULT: { aud: 'https://vault.example' } };

const grantFor = (id: string) => ({
  specversion: '1.0',
  id: 'a1b2',
  source: 'ci',
  type: 'dev.mayfly.tokens.granted',
  time: '2026-11-20T06:37:57.000Z',
  data: {
    id,
    attempt: 1,
    id_tokens: { VAULT: 'a.b.c' },
    expires_at: 1,
    id_token_request_url: 'https://id.example/token?api-version=1',
    id_token_request_token: 'mfr_x',
    deadline: 2,
  },
});

test('a build that starts gets the grant that is pushed to it', async () => {
  const { bus, stored, listeners, requests, state } = fakeBus();
  state.onStored = (_, event) => {
    const { reply } = event['data'] as { reply: string };
    listeners.get(`tokens.ci.${reply}`)?.(JSON.stringify(grantFor('42')));
  };

  const grant = await clientOver(bus, 'ci', PATIENCE).start({ ...BUILD, id_tokens: ID_TOKENS });

  expect(grant?.data.id_tokens).toEqual({ VAULT: 'a.b.c' });
  expect([...stored.values()]).toMatchObject([
    {
      eventName: 'ci.ci.build.started',
      event: { source: 'ci', data: { build: BUILD, id_tokens: ID_TOKENS } },
    },
  ]);
  expect(requests).toEqual([]);
  expect(listeners.size).toBe(0);
});

test('a grant that does not come is asked for, until the build is known to run', async () => {
  const { bus, requests, state } = fakeBus();
  let asked = 0;
  state.answer = () => {
    asked += 1;
    return asked < 3 ? { error: 'not_found', error_description: 'no such build runs' } : grantFor('42');
  };

  const grant = await clientOver(bus, 'ci', PATIENCE).start({ ...BUILD, attempt: 2, id_tokens: ID_TOKENS });

  expect(grant?.data.id).toBe('42');
  expect(requests[0]).toEqual({ eventName: 'ci.ci.grant', body: { id: '42', attempt: 2 } });
  expect(requests).toHaveLength(3);
});

test('a grant that is refused is an error, at once', async () => {
  const { bus, requests, state } = fakeBus();
  state.answer = () => ({ error: 'access_denied', error_description: 'no' });

  const start = clientOver(bus, 'ci', PATIENCE).start({ ...BUILD, id_tokens: ID_TOKENS });

  await expect(start).rejects.toMatchObject({ code: 'access_denied' });
  expect(requests).toHaveLength(1);
});

test('the grant of another build is not taken for this one', async () => {
  const { bus, listeners, state } = fakeBus();
  state.onStored = (_, event) => {
    const { reply } = event['data'] as { reply: string };
    listeners.get(`tokens.ci.${reply}`)?.(JSON.stringify(grantFor('41')));
  };
  state.answer = () => grantFor('42');

  const grant = await clientOver(bus, 'ci', PATIENCE).start({ ...BUILD, id_tokens: ID_TOKENS });

  expect(grant?.data.id).toBe('42');
});

test('a build that declares nothing waits for nothing', async () => {
  const { bus, listeners } = fakeBus();

  expect(await clientOver(bus, 'ci', PATIENCE).start(BUILD)).toBeUndefined();
  expect(listeners.size).toBe(0);
});

test('an event is published under one id until it is acknowledged, and stored once', async () => {
  const { bus, stored, published } = fakeBus(['lose', 'store, then time out', 'acknowledge']);

  await clientOver(bus, 'ci', PATIENCE).finish('42', { outcome: 'success' });

  expect(published).toHaveLength(3);
  expect(new Set(published.map(({ id }) => id)).size).toBe(1);
  expect([...stored.values()]).toMatchObject([
    { eventName: 'ci.ci.build.finished', event: { data: { id: '42', outcome: 'success' } } },
  ]);
});

test('a first publish that is called a duplicate is an error', async () => {
  const { bus } = fakeBus();
  bus.publish = async () => ({ duplicate: true });

  await expect(clientOver(bus, 'ci', PATIENCE).finish('42')).rejects.toMatchObject({ code: 'conflict' });
});

test('an event that BUILDS would not take is an error at once, and published nowhere', async () => {
  const { bus, published } = fakeBus();

  const start = clientOver(bus, 'ci', PATIENCE).start({ ...BUILD, ref: 'x'.repeat(65_536) });

  await expect(start).rejects.toMatchObject({ code: 'payload_too_large' });
  expect(published).toEqual([]);
});

test('an event that is never acknowledged is an error in the end', async () => {
  const { bus } = fakeBus(Array.from({ length: 100 }, () => 'lose' as const));

  const finish = clientOver(bus, 'ci', { answerWithinMs: 1, giveUpAfterMs: 100 }).finish('42');

  await expect(finish).rejects.toMatchObject({ code: 'temporarily_unavailable' });
});

test('a heartbeat names its builds in one request', async () => {
  const { bus, requests, state } = fakeBus();
  state.answer = () => ({});

  await clientOver(bus, 'ci', PATIENCE).heartbeat(['1', '2']);

  expect(requests).toEqual([{ eventName: 'ci.ci.heartbeat', body: { builds: ['1', '2'] } }]);
});

test('more builds than one heartbeat may name are named in several', async () => {
  const { bus, requests, state } = fakeBus();
  state.answer = () => ({ running: 1, expected: true });
  const ids = Array.from({ length: 2001 }, (_, index) => `${index}`);

  await clientOver(bus, 'ci', PATIENCE).heartbeat(ids);

  const named = requests.map(({ body }) => (body as { builds: string[] }).builds);
  expect(named.map(({ length }) => length)).toEqual([1000, 1000, 1]);
  expect(named.flat()).toEqual(ids);
});

test('a heartbeat that is refused, or that nobody answers, is an error', async () => {
  const { bus, state } = fakeBus();
  const { heartbeat } = clientOver(bus, 'ci', PATIENCE);

  await expect(heartbeat(['1'])).rejects.toMatchObject({ code: 'temporarily_unavailable' });
  state.answer = () => ({ error: 'invalid_request', error_description: 'no' });
  await expect(heartbeat(['1'])).rejects.toMatchObject({ code: 'invalid_request', message: 'no' });
});
