import { expect, test } from 'vitest';
import type { EndedBuild } from './feed-log.ts';
import { openings } from './feed-opening.ts';
import { endedBuild } from './testing.ts';

function maker(count = 9, padding = '') {
  let written = 0;
  const { open, prepare } = openings(({ seq }) => {
    written += 1;
    return `${padding}${seq} `;
  });
  const all = Array.from({ length: count }, (_, at) => endedBuild((at + 1) * 2, 0));
  const said = (first: number, list: readonly EndedBuild[], lastSeq?: number, storedAt = 0) => {
    const { bytes, events } = open(
      { first, list },
      lastSeq === undefined ? undefined : { seq: lastSeq, storedAt },
    );
    return `${bytes.join('')}= ${events}`;
  };
  return { all, open, prepare, said, written: () => written };
}

const numbers = (from: number, to: number) =>
  Array.from({ length: Math.max(0, to - from) }, (_, at) => `${(from + at + 1) * 2} `).join('');

test('an opening tells all that is there, or what came after the last that was seen', () => {
  const { all, said } = maker();
  const open = (count: number, lastSeq?: number) => said(0, all.slice(0, count), lastSeq);

  expect(open(0)).toBe('= 0');
  expect(open(3)).toBe('2 4 6 = 3');
  expect(open(3, 2)).toBe('4 6 = 2');
  expect(open(3, 6)).toBe('= 0');
  expect(open(3, 5)).toBe('2 4 6 = 3');
  expect(open(5)).toBe('2 4 6 8 10 = 5');
  expect(open(5, 4)).toBe('6 8 10 = 3');
  expect(open(5, 8)).toBe('10 = 1');
  expect(open(5, 10)).toBe('= 0');
});

test('whatever was forgotten, added and seen, what is told is what is there', async () => {
  const { all, said, prepare } = maker(3333);
  let at = 0;

  for (const [first, end] of [
    [0, 40],
    [0, 60],
    [10, 1000],
    [10, 1049],
    [30, 1111],
    [999, 2100],
    [1000, 2100],
    [1500, 3333],
    [3333, 3333],
  ]) {
    const list = all.slice(first, end);
    if (at++ % 2 === 0) await prepare(() => ({ first: first as number, list }));
    const [begin, last] = [first as number, end as number];
    expect(said(begin, list)).toBe(`${numbers(begin, last)}= ${last - begin}`);
    const seen = begin + Math.floor(list.length / 3);
    if (list.length > 0)
      expect(said(begin, list, (seen + 1) * 2)).toBe(`${numbers(seen + 1, last)}= ${last - seen - 1}`);
  }
});

test('those who come at any time share the same bytes, and what is old is written once', async () => {
  const { all, open, prepare, written } = maker(5000, 'x'.repeat(250));
  const copies = new Set<ArrayBufferLike>();
  let told = 0;

  for (let end = 4000; end < 4800; end += 7) {
    const ends = { first: end - 4000, list: all.slice(end - 4000, end) };
    await prepare(() => ends);
    const { bytes } = open(ends, undefined);
    told = bytes.reduce((sum, { length }) => sum + length, 0);
    // Small buffers are parts of one that many share.
    for (const piece of bytes) if (piece.length > 1000) copies.add(piece.buffer);
  }

  const held = [...copies].reduce((sum, { byteLength }) => sum + byteLength, 0);
  expect(held).toBeLessThan(3 * told);
  expect(written()).toBeLessThan(3 * 4800);
});

test('after the log began anew nothing of the old opening is told, and what there is then is written ahead again', async () => {
  const { all, said, prepare, written } = maker(1200);
  await prepare(() => ({ first: 0, list: all }));
  said(0, all);
  const others = Array.from({ length: 1100 }, (_, at) => endedBuild(at * 2 + 1, 5));

  expect(said(0, [])).toBe('= 0');
  expect(said(0, [endedBuild(1, 0)], 4)).toBe('1 = 1');
  said(0, all);
  const before = written();
  await prepare(() => ({ first: 0, list: others }));
  expect(written()).toBe(before + 1000);
  expect(said(0, others)).toBe(`${others.map(({ seq }) => `${seq} `).join('')}= 1100`);
});

test('whoever saw an end of a stream that was cut short, where another stands now, is told all', () => {
  const { said } = maker();
  const list = [endedBuild(2, 0), endedBuild(4, 7), endedBuild(6, 8)];

  expect(said(0, list, 4, 0)).toBe('2 4 6 = 3');
  expect(said(0, list, 4, 7)).toBe('6 = 1');
});
