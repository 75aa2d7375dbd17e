import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeStatusList,
  encodeStatusList,
  STATUS_LIST_SIZE,
  statusAt,
  statusesOf,
  statusReference,
} from './status-list.ts';

const vectors = fileURLToPath(new URL('../../../../shared/vectors/token-status-list/', import.meta.url));
const noVectors = existsSync(vectors)
  ? {}
  : { skip: true, meta: { skipped: 'the vectors are not beside this repository' } };

declare module 'vitest' {
  interface TaskMeta {
    skipped?: string;
  }
}

type Vector = { bits: number; size: number; status: Record<string, number>; lst: string };

test('every vector of the draft is read as it says', noVectors, () => {
  const file = JSON.parse(readFileSync(`${vectors}status_list_vectors.json`, 'utf8')) as {
    vectors: Vector[];
  };

  expect(file.vectors).toHaveLength(4);
  for (const { bits, size, status, lst } of file.vectors) {
    const bytes = decodeStatusList({ bits, lst });
    expect(bytes).toHaveLength((size * bits) / 8);
    const expected = Array.from({ length: size }, () => 0);
    for (const [index, value] of Object.entries(status)) expected[Number(index)] = value;
    expect(expected.every((value, index) => statusAt(bytes, bits, index) === value)).toBe(true);
    expect(statusAt(bytes, bits, size)).toBeUndefined();
  }
});

test('every short example of the draft is written and read as it says', noVectors, () => {
  const texts = readdirSync(`${vectors}examples`)
    .filter((name) => /encoding\d?_json/.test(name))
    .map((name) => readFileSync(`${vectors}examples/${name}`, 'utf8'));
  const examples = texts.filter((text) => text.startsWith('byte_array'));

  for (const text of examples) {
    const array = /byte_array = \[(.*?)\]/s.exec(text)?.[1] ?? '';
    const bytes = Uint8Array.from(array.split(',').map(Number));
    const list = JSON.parse(
      text.slice(text.indexOf('{')).replaceAll(/\n\s+(?=[A-Za-z0-9_-]+["\n])/g, ''),
    ) as {
      bits: number;
      lst: string;
    };
    expect([...decodeStatusList(list)]).toEqual([...bytes]);
    expect(encodeStatusList(bytes, list.bits)).toEqual(list);
  }
  expect(examples.length).toBeGreaterThanOrEqual(2);
});

test('a build is valid exactly where its bit is set among those that run', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.nat(STATUS_LIST_SIZE - 1), { maxLength: 50 }),
      fc.nat(70_000),
      (set, other) => {
        const running = new Uint8Array(Math.max(0, ...set.map((index) => (index >> 3) + 1)));
        for (const index of set)
          running[index >> 3] = (running[index >> 3] as number) | (0x80 >> (index & 7));
        const bytes = decodeStatusList(encodeStatusList(statusesOf(running)));

        for (const index of set) expect(statusAt(bytes, 1, index)).toBe(0);
        const expected = other >= STATUS_LIST_SIZE ? undefined : set.includes(other) ? 0 : 1;
        expect(statusAt(bytes, 1, other)).toBe(expected);
      },
    ),
  );
});

test('a list that unpacks to more than a mebibyte, or is none, is refused', () => {
  const bomb = encodeStatusList(new Uint8Array(2 << 20));

  expect(() => decodeStatusList(bomb)).toThrow(TypeError);
  expect(() => decodeStatusList({ bits: 1, lst: 'AAAA' })).toThrow(TypeError);
  expect(() => decodeStatusList({ bits: 3, lst: encodeStatusList(new Uint8Array(1)).lst })).toThrow(
    TypeError,
  );
});

test("a start's sequence names one bit of one list", () => {
  const issuer = 'https://id.example.com/acme';

  expect(statusReference(issuer, 1_763_622_000_000, 3)).toEqual({
    idx: 3,
    uri: `${issuer}/status-lists/1763622000000-0`,
  });
  expect(statusReference(issuer, 1, 65_536 * 2 + 7)).toEqual({ idx: 7, uri: `${issuer}/status-lists/1-2` });
});

test('an index that is no whole number from zero up has no status', () => {
  for (const index of [-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER]) {
    expect(statusAt(new Uint8Array(8), 1, index)).toBeUndefined();
  }
});
