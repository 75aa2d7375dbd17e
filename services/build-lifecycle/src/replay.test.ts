import type { JetStreamClient, JetStreamManager } from '@nats-io/jetstream';
import { expect, test } from 'vitest';
import { replay } from './replay.ts';

type Sent = { seq: number; deliverySequence: number; pending: number };

/**
 * A consumer that gives these chunks, one a fetch, and says how many it has delivered; `left` is what the leader of the stream
 * holds beside. Replays all of it.
 */
async function replayed(
  chunks: Sent[][],
  delivered: number,
  pendingAfter = 0,
  left: number[] = [],
  pendingBefore = 1,
): Promise<number> {
  let fetched = 0;
  let asked = 0;
  const consumer = {
    info: async () => ({
      num_pending: asked++ === 0 ? pendingBefore : pendingAfter,
      delivered: { consumer_seq: delivered },
    }),
    fetch: async () =>
      (chunks[fetched++] ?? []).map(({ seq, ...info }) => ({
        ...{ seq, subject: 'ci.acme.build.finished', data: new TextEncoder().encode('no event') },
        info: { ...info, timestampNanos: 0 },
      })),
  };
  const source = {
    js: { consumers: { get: async () => consumer } } as unknown as JetStreamClient,
    jsm: {
      consumers: { add: async () => undefined, delete: async () => true },
      streams: {
        getMessage: async (_stream: string, { seq: from }: { seq: number }) => {
          const seq = left.find((one) => one >= from);
          return seq === undefined ? null : { seq };
        },
      },
    } as unknown as JetStreamManager,
  };
  const target = { policy: { sources: {} } } as unknown as Parameters<typeof replay>[1];
  // Only the commands of operators among the ends.
  const range = { ends: { from: 1, to: 10 }, starts: { from: 2, to: 1 } };
  return await replay(source, target, range, async () => undefined);
}

const message = (deliverySequence: number, seq = deliverySequence): Sent => ({
  ...{ seq, deliverySequence, pending: 10 - deliverySequence },
});

test('a replay that has every message ends at its last, or where the rest has left the stream', async () => {
  const all = [
    [1, 2, 3, 4],
    [5, 6, 7, 8],
    [9, 10],
  ].map((chunk) => chunk.map((one) => message(one)));
  // Of two filters each reads what is left of the chunks: the second finds an empty consumer.
  expect(await replayed(all, 0)).toBe(10);
});

test.each<[string, Sent[][], number, number]>([
  ['lost in the middle', [[message(1), message(3)]], 3, 0],
  ['lost between two chunks', [[message(1), message(2)], [message(4)]], 4, 0],
  ['lost before the first', [[message(2)]], 2, 0],
  ['sent last and lost', [[message(1), message(2)]], 4, 0],
  ['there, and did not come', [[message(1), message(2)]], 2, 8],
])('a replay is not whole where a message was %s', async (_, chunks, delivered, pending) => {
  await expect(replayed(chunks, delivered, pending)).rejects.toThrow('not every message');
});

test('a replay is not whole where the server of its consumer is behind the leader of the stream', async () => {
  const behind = [{ seq: 8, deliverySequence: 1, pending: 0 }];
  await expect(replayed([behind], 1, 0, [9])).rejects.toThrow('not every message');
  // What came after the range is delivered by others.
  expect(await replayed([behind], 1, 0, [11])).toBe(1);
  // Nor where it has nothing at all.
  await expect(replayed([], 0, 0, [9], 0)).rejects.toThrow('not every message');
  expect(await replayed([], 0, 0, [11], 0)).toBe(0);
});
