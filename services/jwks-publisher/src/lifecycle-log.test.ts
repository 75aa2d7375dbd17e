import { headers, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { lifecycleLog, readStored } from './lifecycle-log.ts';

const EVENT = {
  ...{ specversion: '1.0', id: '0b7f0a3e-6f0a-4c39-9d8e-6a8f0f6f2f11', source: 'acme' },
  ...{ type: 'dev.mayfly.build.finished', time: '2026-11-20T06:00:00Z' },
  data: { id: 'b1', attempt: 1, reason: 'success', finished_at: 1_795_000_000_000 },
};
const SAID = {
  'Nats-Stream': 'LIFECYCLE',
  'Nats-Subject': 'build.finished',
  'Nats-Sequence': '12',
  'Nats-Last-Sequence': '9',
  'Nats-Time-Stamp': '2026-11-20T06:00:00.123456789Z',
};

/** A message on `stored.build.finished` as the server sends it, but for some headers. */
function message(changed: Record<string, string | undefined> = {}, body: object = EVENT): Msg {
  const held = headers();
  for (const [name, value] of Object.entries({ ...SAID, ...changed })) if (value) held.set(name, value);
  return { headers: held, data: new TextEncoder().encode(JSON.stringify(body)) } as unknown as Msg;
}

test('what the server says of a stored end is the end, and the place of the one before it', () => {
  const stored = readStored(message());

  expect(stored).toMatchObject({ before: 9, end: { seq: 12, ended: { source: 'acme', id: 'b1', seq: 12 } } });
  expect(readStored(message({ 'Nats-Last-Sequence': '0' }))?.before).toBe(0);
  expect(readStored(message({}, { type: 'other' }))?.end).toMatchObject({ seq: 12, ended: undefined });
});

test.each<[string, Record<string, string | undefined>]>([
  ['without a stream', { 'Nats-Stream': undefined }],
  ['of another stream', { 'Nats-Stream': 'BUILDS' }],
  ['of another event', { 'Nats-Subject': 'build.running' }],
  ['without its place', { 'Nats-Sequence': undefined }],
  ['without the place before it', { 'Nats-Last-Sequence': undefined }],
  ['without its time', { 'Nats-Time-Stamp': undefined }],
  ['that answers a question', { 'Nats-Num-Pending': '3' }],
])('a message %s is not believed', (_, changed) => {
  expect(readStored(message(changed))).toBeUndefined();
  expect(readStored({ data: message().data } as Msg)).toBeUndefined();
});

/** A server that answers a question for many ends with these messages, and then no more. */
function answering(...messages: Msg[]): NatsConnection {
  const requestMany = async () => messages.values();
  return { requestMany } as unknown as NatsConnection;
}

const inBatch = (seq: number, before = 0) =>
  message({ 'Nats-Sequence': `${seq}`, 'Nats-Last-Sequence': `${before}`, 'Nats-Num-Pending': '5' });
const status = (code: number, description: string): Msg =>
  ({ headers: headers(code, description), data: new Uint8Array() }) as unknown as Msg;
/** How nats-server 2.15 ends a batch. */
function endOfBatch(before: number): Msg {
  const end = status(204, 'EOB');
  end.headers?.set('Nats-Last-Sequence', `${before}`);
  end.headers?.set('Nats-Num-Pending', '5');
  return end;
}

test('a batch of ends is believed once its end has come', async () => {
  const whole = lifecycleLog(answering(inBatch(12), inBatch(14, 12), endOfBatch(14), inBatch(15, 14)));
  expect((await whole.some(12, 64)).map(({ seq }) => seq)).toEqual([12, 14]);

  const none = lifecycleLog(answering(status(404, 'Message Not Found')));
  expect(await none.some(12, 64)).toEqual([]);

  const outOfOrder = [inBatch(14), inBatch(12, 14), endOfBatch(12)];
  const withGaps = [
    [inBatch(14, 12), endOfBatch(14)],
    [inBatch(12), inBatch(16, 14), endOfBatch(16)],
    [inBatch(12), endOfBatch(14)],
  ];
  for (const broken of [
    ...[[inBatch(12)], [], [inBatch(12), status(408, 'Bad Request')], outOfOrder],
    ...withGaps,
  ]) {
    const { some } = lifecycleLog(answering(...broken));
    await expect(some(12, 64)).rejects.toMatchObject({ code: 'temporarily_unavailable' });
  }
});

test('a server that knows no batches gives one end, which is not waited after', async () => {
  const { some } = lifecycleLog(answering(message(), inBatch(14)));

  expect((await some(12, 64)).map(({ seq }) => seq)).toEqual([12]);
});
