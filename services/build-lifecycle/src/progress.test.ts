import { CONSUMERS } from '@mayfly/contracts/bus';
import type { JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { readProgress } from './progress.ts';

const STORED = '2026-11-20T06:00:00.000Z';

type Stored = { seq: number; subject: string };

/** How far the consumers are by their own word, with these messages in the stream by that of its leader. */
function progressBeside(
  stored: Stored[],
  consumers: Record<string, { floor: number; delivered: number; left: number }>,
) {
  const jsm = {
    streams: {
      info: async () => ({ ts: STORED, created: 'then', state: { first_seq: 1, last_seq: 12 } }),
    },
    consumers: {
      async info(_stream: string, name: string) {
        const { floor, delivered, left } = consumers[name] ?? { floor: 0, delivered: 0, left: 0 };
        return {
          ...{ num_pending: left, num_ack_pending: delivered - floor },
          ...{ ack_floor: { stream_seq: floor }, delivered: { stream_seq: delivered } },
        };
      },
    },
  } as unknown as JetStreamManager;
  const nats = {
    async request(_name: string, body: string) {
      const { seq, next_by_subj } = JSON.parse(body) as { seq: number; next_by_subj: string };
      const pattern = new RegExp(`^${next_by_subj.replaceAll('.', '\\.').replaceAll('*', '[^.]+')}$`);
      const next = stored.find((one) => one.seq >= seq && pattern.test(one.subject));
      const answer = next ? { message: { time: STORED } } : { error: { description: 'no message found' } };
      return { json: () => answer };
    },
  } as unknown as NatsConnection;
  return readProgress(nats, jsm);
}

const START = 'ci.acme.build.started';
const END = 'ci.acme.build.finished';

test('consumers with nothing left are as far as the stream', async () => {
  const at10 = { floor: 10, delivered: 10, left: 0 };
  const stored = [
    { seq: 9, subject: START },
    { seq: 10, subject: END },
  ];
  const progress = await progressBeside(stored, { [CONSUMERS.starts]: at10, [CONSUMERS.ends]: at10 });

  expect(progress).toMatchObject({
    starts: { floor: 12, delivered: 12 },
    ends: { floor: 12, delivered: 12 },
  });
  expect(progress.oldestEndAt).toBeUndefined();
});

test.each([
  ['an end', END],
  ['the command of an operator', 'ended.acme'],
])(
  'a consumer whose server is behind the leader of the stream is no further than it has acknowledged: %s',
  async (_, subject) => {
    const at10 = { floor: 10, delivered: 10, left: 0 };
    const progress = await progressBeside([{ seq: 12, subject }], {
      [CONSUMERS.starts]: at10,
      [CONSUMERS.ends]: at10,
    });

    expect(progress).toMatchObject({ starts: { floor: 12 }, ends: { floor: 10, delivered: 10 } });
    expect(progress.oldestEndAt).toBe(Date.parse(STORED));
  },
);

test('the same holds for starts, which nobody waits for', async () => {
  const at10 = { floor: 10, delivered: 10, left: 0 };
  const progress = await progressBeside([{ seq: 12, subject: START }], {
    [CONSUMERS.starts]: at10,
    [CONSUMERS.ends]: at10,
  });

  expect(progress).toMatchObject({ starts: { floor: 10, delivered: 10 }, ends: { floor: 12 } });
  expect(progress.oldestEndAt).toBeUndefined();
});
