import type { AdmittedBuild } from '@mayfly/contracts/events';
import { expect, test } from 'vitest';
import { markFields, writeFacts, writeTime } from './layout.ts';
import type { Link } from './proven-read.ts';
import { buildReader, runningBuild } from './reader.ts';

const NOW = 1_763_622_000_000;
const BUILD = { source: 'acme', id: '1' };
const STREAM = '2026-11-20T06:00:00Z';

/** The record of a running build. */
const recordOf = (seq: number) =>
  `r 1 ${seq} ${writeTime(NOW)} ${writeTime(NOW + 60_000)} digest\n${writeFacts({ build: { id: '1' } } as AdmittedBuild)}`;

/** A Redis that says whatever `state` has. */
function reading() {
  const state: { text: string | null; stream: string } = { text: recordOf(7), stream: STREAM };
  const mark = () =>
    markFields({
      ...{ stream: state.stream, runId: 'run', startsFloor: 1, endsFloor: 1 },
      ...{ firstSeq: 5, at: NOW, markedAt: NOW },
    }).join(' ');
  const redis = { fcall_ro: async () => [String(NOW / 1000), '0', [mark(), state.text]] };
  const reader = buildReader({ redis, runId: () => 'run' } as unknown as Link);
  const find = async () => runningBuild(await reader.find(BUILD), 1);
  return { state, reader, find };
}

test('a build that is found again unchanged is the same object, and else another', async () => {
  const { state, find } = reading();
  const first = await find();
  expect(first?.seq).toBe(7);
  expect(await find()).toBe(first);

  state.stream = '2026-11-21T06:00:00Z';
  const other = await find();
  expect(other).toEqual(first);
  expect(other).not.toBe(first);

  state.text = recordOf(8);
  expect((await find())?.seq).toBe(8);
});

test('what was last found is given until it is forgotten, and nothing before', async () => {
  const { reader, find } = reading();
  expect(reader.last(BUILD)).toBeUndefined();

  const found = await find();
  expect(reader.last(BUILD)).toMatchObject({ stream: STREAM, record: { build: found } });
  expect(reader.last({ ...BUILD, source: 'other' })).toBeUndefined();

  reader.forget(BUILD);
  expect(reader.last(BUILD)).toBeUndefined();
});

test('a record that is long is not kept: thousands of them would fill a small machine', async () => {
  const { state, reader, find } = reading();
  await find();
  state.text = `${recordOf(8)}${' '.repeat(8192)}`;

  expect((await find())?.seq).toBe(8);
  expect(reader.last(BUILD)).toBeUndefined();
});

test('a build whose start has left the stream is not found', async () => {
  const { state, find } = reading();
  state.text = recordOf(4);

  expect(await find()).toBeUndefined();
});
