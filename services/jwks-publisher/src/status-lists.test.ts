import { ServiceError } from '@mayfly/contracts/errors';
import type { SignStatusList } from '@mayfly/contracts/signing';
import { decodeStatusList, statusAt } from '@mayfly/contracts/status-list';
import { expect, test } from 'vitest';
import { aggregateLists, publishList, type StatusLists } from './status-lists.ts';
import { ISSUER, NOW } from './testing.ts';

function listsOf(change: Partial<Awaited<ReturnType<StatusLists['running']['read']>>> = {}) {
  const signed: SignStatusList['claims'][] = [];
  const builds = {
    bits: Uint8Array.of(0b1010_0000),
    streamCreatedMs: 7,
    firstSeq: 1,
    lastSeq: 9,
    now: NOW * 1000 + 999,
    freshForMs: 1500,
  };
  const lists: StatusLists = {
    ...{ source: 'acme', issuer: ISSUER },
    running: { read: async () => ({ ...builds, ...change }) },
    sign: async (_source, claims) => {
      signed.push(claims);
      return 'signed';
    },
  };
  return { lists, signed };
}

test('a list says valid of the builds that run, and lives for twice its ttl by the clock of Redis', async () => {
  const { lists, signed } = listsOf();
  const published = await publishList(7, 0, lists);
  const [claims] = signed;
  const bytes = decodeStatusList(claims?.status_list as never);

  expect(published?.document.body).toBe('signed');
  expect(claims).toMatchObject({ sub: `${ISSUER}/status-lists/7-0`, iat: NOW, exp: NOW + 10, ttl: 5 });
  expect([0, 1, 2, 3, 65_535].map((index) => statusAt(bytes, 1, index))).toEqual([0, 1, 0, 1, 1]);
  expect((published?.freshUntil ?? 0) - performance.now()).toBeLessThanOrEqual(1500);
});

test('there is no list of another stream, of none of its builds, or far ahead of it', async () => {
  const { lists, signed } = listsOf({ firstSeq: 70_000, lastSeq: 131_071 });

  for (const [created, list] of [
    [8, 1],
    [7, 0],
    [7, 3],
  ] as const) {
    expect(await publishList(created, list, lists)).toBeUndefined();
  }
  expect(signed).toEqual([]);
  expect((await publishList(7, 2, lists))?.document.body).toBe('signed');
  expect(signed.map(({ sub }) => sub)).toEqual([`${ISSUER}/status-lists/7-2`]);
});

test('the aggregation names each list that BUILDS holds builds of', async () => {
  const { lists } = listsOf({ firstSeq: 65_535, lastSeq: 140_000 });
  expect(await aggregateLists(lists)).toEqual([0, 1, 2].map((list) => `${ISSUER}/status-lists/7-${list}`));
});

test('nothing is signed while nobody knows which builds run', async () => {
  const { lists, signed } = listsOf();
  const unknown = new ServiceError('temporarily_unavailable', 'not known');
  lists.running = { read: () => Promise.reject(unknown) };

  await expect(publishList(7, 0, lists)).rejects.toBe(unknown);
  await expect(aggregateLists(lists)).rejects.toBe(unknown);
  expect(signed).toEqual([]);
});
