import type { AdmittedBuild } from '@mayfly/contracts/events';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  buildKey,
  checkMember,
  readCheckMember,
  readLife,
  readMark,
  readRecord,
  statusListKey,
  writeFacts,
  writeReason,
  writeTime,
} from './layout.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 40 });

test('the record of a running build reads back as what was admitted', () => {
  fc.assert(
    fc.property(text, text, fc.nat(), fc.constantFrom('', ' 1 7'), (ref, name, seq, rest) => {
      const build: AdmittedBuild = {
        source: 'acme',
        build: { id: '42', ref, actor: { name } },
        attempt: 2,
        id_tokens: { A: { aud: 'a' } },
        reply: 'r',
        seq,
        digest: 'x'.repeat(43),
        started_at: 1_795_000_000_123,
        deadline: 1_795_000_000_123 + seq,
      };
      const record = readRecord(
        'acme',
        `r 2 ${seq} ${writeTime(build.started_at)} ${writeTime(build.deadline)} ${build.digest}${rest}\n${writeFacts(build)}`,
      );

      expect(record).toEqual({ state: 'running', attempt: 2, seq, build });
    }),
  );
});

test('the record of a finished build says why and when', () => {
  const finishedAt = 1_795_000_000_123;
  for (const reason of ['success', 'deadline', 'aborted', 'SUCCESS', 'x', 'no_idea-at-all']) {
    const text = `f 1 9 ${writeTime(finishedAt)} ${writeReason(reason)}`;
    const record = { state: 'finished', attempt: 1, seq: 9, finishedAt, reason };
    expect(readRecord('acme', text)).toEqual(record);
    expect(readRecord('acme', `${text} 1 7`)).toEqual(record);
  }
});

test('what a number of a reason says never changes: records outlive the process that wrote them', () => {
  const said = ['0', '6', '7', '8', '9', '11'].map((number) => readRecord('acme', `f 1 9 5 ${number}`));

  expect(said.map((record) => 'reason' in record && record.reason)).toEqual([
    ...['success', 'deadline', 'heartbeat', 'operator', 'superseded', 'leak'],
  ]);
});

test.for(['', 'x', 'r 1 2 3', 'f 1 2 3', 'f 1 2 3 99', 'r 1 2 3 4 d\n{'])('"%s" is no record', (one) => {
  expect(() => readRecord('acme', one)).toThrow();
});

test('the life of a build reads back from the first line of its record, however much of it there is', () => {
  const running = { state: 'running', attempt: 2, seq: 7, startedAt: 1, deadline: 2 };
  const finished = { state: 'finished', attempt: 1, seq: 9, finishedAt: 5, reason: 'deadline' };

  for (const rest of ['', ' ', ' x', ` ${'x'.repeat(43)} 1 7\n{"build":`, ' '.repeat(99)]) {
    expect(readLife(`r 2 7 1 2${rest}`)).toEqual(running);
    expect(readLife(`f 1 9 5 deadline${rest}`)).toEqual(finished);
  }
  expect(readLife(' '.repeat(128))).toBeUndefined();
  for (const one of ['x', 'r 1 2 3', 'f 1 2 3', 'f 1 2 3    '])
    expect(() => readLife(one)).toThrow(TypeError);
});

test('a mark reads back, and anything else is none', () => {
  const mark = {
    stream: '2026-01-01T00:00:00.1Z',
    runId: 'r',
    startsFloor: 1,
    endsFloor: 2,
    firstSeq: 3,
    at: 4,
    markedAt: 5,
  };

  expect(readMark('2026-01-01T00:00:00.1Z r 1 2 3 4 5')).toEqual(mark);
  for (const one of [null, '', 'x', '1 2 3 4 5 6', '1 2 3 4 5 6 7 8']) expect(readMark(one)).toBeUndefined();
});

test('no two builds share a key or a member of the checks, whatever their ids', () => {
  const source = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,31}$/);
  const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._~:@+=#/-]{0,127}$/);
  const name = fc.record({ source, id });
  fc.assert(
    fc.property(name, name, (one, other) => {
      expect(readCheckMember(checkMember(one.source, one.id))).toEqual(one);
      fc.pre(one.source !== other.source || one.id !== other.id);
      expect(buildKey(one.source, one.id)).not.toBe(buildKey(other.source, other.id));
    }),
  );
});

test('65,536 starts share a status list', () => {
  expect(statusListKey('acme', 65_535)).toBe('status:{acme}:0');
  expect(statusListKey('acme', 65_536)).toBe('status:{acme}:1');
});
