import { expect, test } from 'vitest';
import { openingMaker } from './feed-opening.ts';
import { endedBuild } from './testing.ts';

function maker() {
  let time = 0;
  let written = 0;
  const open = openingMaker(
    ({ seq }) => {
      written += 1;
      return Buffer.from(`${seq} `);
    },
    () => time,
  );
  const all = Array.from({ length: 9 }, (_, at) => endedBuild((at + 1) * 2, 0));
  return {
    open: (count: number, lastSeq?: number) => {
      const last = lastSeq === undefined ? undefined : { seq: lastSeq, storedAt: 0 };
      const { bytes, events } = open(all.slice(0, count), last);
      return `${bytes.join('')}= ${events}`;
    },
    written: () => written,
    later: (ms: number) => {
      time += ms;
    },
    make: open,
    all,
  };
}

test('an opening tells all that is there, or what came after the last that was seen', () => {
  const { open } = maker();

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

test('those who come within two seconds share the same bytes, and what ended since is added', () => {
  const { open, later, written } = maker();
  open(3);
  later(2000);
  expect(open(5)).toBe('2 4 6 8 10 = 5');
  expect(written()).toBe(5);

  later(1);
  expect(open(5)).toBe('2 4 6 8 10 = 5');
  expect(written()).toBe(10);
});

test('after the log began anew nothing of the old opening is told', () => {
  const { make, all } = maker();
  make(all, undefined);

  expect(make([], undefined).bytes.join('')).toBe('');
  expect(make([endedBuild(1, 0)], { seq: 4, storedAt: 0 }).bytes.join('')).toBe('1 ');
});

test('whoever saw an end of a stream that was cut short, where another stands now, is told all', () => {
  const { make } = maker();
  const [first, another, next] = [endedBuild(2, 0), endedBuild(4, 7), endedBuild(6, 8)];

  expect(make([first, another, next], { seq: 4, storedAt: 0 }).bytes.join('')).toBe('2 4 6 ');
  expect(make([first, another, next], { seq: 4, storedAt: 7 }).bytes.join('')).toBe('6 ');
});
