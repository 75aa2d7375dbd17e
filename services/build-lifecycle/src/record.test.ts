import { expect, test } from 'vitest';
import type { Admitted } from './admit.ts';
import { type Replaying, recordAgain } from './record.ts';

const NOW = 1_800_000_000_000;
const TOLD_FOR_MS = 900_000;
const BUILD = { source: 'acme', attempt: 1, seq: 5, digest: 'd', started_at: 0, deadline: NOW };
const START = { kind: 'start', build: { ...BUILD, build: { id: '17' } } } as Admitted;

/** Records the start again where the projection gives this; gives the lives whose end was told. */
async function toldBy(recorded: Awaited<ReturnType<Replaying['writer']['start']>>): Promise<number[]> {
  const told: number[] = [];
  const replaying = {
    writer: { start: async () => recorded },
    announce: {
      async finished(_source: string, event: { data: { attempt: number } }) {
        told.push(event.data.attempt);
      },
    },
    ...{ retentionMs: 0, toldForMs: TOLD_FOR_MS, heartbeatMs: () => undefined, now: () => NOW },
  } as unknown as Replaying;
  await recordAgain(START, replaying);
  return told;
}

test('a life that was replaced is told as long as a token of it may live, and no longer', async () => {
  const superseded = { outcome: 'superseded', replaced: [{ attempt: 1, seq: 5 }] } as const;
  const recent = { ...superseded, replaced: [...superseded.replaced], since: NOW - TOLD_FOR_MS + 1 };

  expect(await toldBy(recent)).toEqual([1]);
  expect(await toldBy({ ...recent, since: NOW - TOLD_FOR_MS })).toEqual([]);
});

test('of the lives that a start replaced only those are told that began after it', async () => {
  const replaced = [
    { attempt: 1, seq: 4 },
    { attempt: 2, seq: 6 },
  ];

  expect(await toldBy({ outcome: 'running', replaced })).toEqual([2]);
});
