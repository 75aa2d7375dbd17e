import { describe, expect, test } from 'vitest';
import { admit } from './admit.ts';

const STORED_AT = Date.parse('2026-01-01T12:00:00Z');
const policy = { sources: { acme: { audiences: ['a'], build_timeout: '1h' }, other: { audiences: ['a'] } } };
const start = (data: object = {}, build: object = {}) => ({
  specversion: '1.0',
  id: 'e1',
  source: 'acme',
  type: 'dev.mayfly.ci.build.started',
  time: '2026-01-01T12:00:00Z',
  data: { build: { id: '42', ...build }, ...data },
});
const stored = (body: unknown, eventName = 'ci.acme.build.started') => ({
  eventName,
  seq: 7,
  storedAt: STORED_AT,
  data: Buffer.from(JSON.stringify(body)),
});
const admitted = (body: unknown, eventName?: string) => admit(stored(body, eventName), policy);

describe('a deadline', () => {
  test.for([
    [undefined, 3600],
    [60, 60],
    [86_400, 3600],
  ])('of a build that asks for %s s is %s s after its start was stored', ([asked, seconds]) => {
    const result = admitted(start({}, asked === undefined ? {} : { timeout_seconds: asked }));

    expect(result).toMatchObject({
      kind: 'start',
      build: { deadline: STORED_AT + (seconds as number) * 1000 },
    });
  });
});

test('two starts that say the same in another order of members have one digest, and others have not', () => {
  const digestOf = (body: unknown) => {
    const result = admitted(body);
    return result.kind === 'start' ? result.build.digest : undefined;
  };
  const one = start({ reply: 'r' }, { ref: 'x', sha: 'y' });
  const other = { ...one, data: { reply: 'r', build: { sha: 'y', ref: 'x', id: '42' } } };

  expect(digestOf(other)).toBe(digestOf(one));
  expect(digestOf(start({ reply: 'r' }, { ref: 'x', sha: 'z' }))).not.toBe(digestOf(one));
});

test.for([
  [
    'a source that is not in mayfly.yaml',
    { ...start(), source: 'nobody' },
    'ci.nobody.build.started',
    'access_denied',
  ],
  [
    'a source that speaks for another',
    { ...start(), source: 'other' },
    'ci.acme.build.started',
    'access_denied',
  ],
  ['our own announcement on ended.acme', start(), 'ended.acme', 'invalid_request'],
  ['a start on the subject of ends', start(), 'ci.acme.build.finished', 'invalid_request'],
] as const)('%s is refused', ([, body, eventName, code]) => {
  expect(() => admitted(body, eventName)).toThrow(expect.objectContaining({ code }));
});

test('an end that no CI sent is believed on its own subject alone', () => {
  const ended = {
    specversion: '1.0',
    id: 'e',
    source: 'acme',
    type: 'dev.mayfly.build.ended',
    time: '2026-01-01T12:00:00Z',
    data: { id: '42', attempt: 1, reason: 'deadline' },
  };

  expect(admitted(ended, 'ended.acme')).toMatchObject({ kind: 'finish', id: '42', reason: 'deadline' });
  expect(() => admitted(ended, 'ended.other')).toThrow(expect.objectContaining({ code: 'access_denied' }));
  expect(() => admitted(ended, 'ci.acme.build.finished')).toThrow();
});

test.for([
  ['with an outcome in other words', { data: { id: '42', outcome: 'exit 1' } }],
  ['without an outcome', { data: { id: '42', outcome: '' } }],
  ['two hours late', { data: { id: '42' }, time: '2026-01-01T10:00:00Z' }],
] as const)('an end that is told %s ends the build', ([, told]) => {
  const finished = { ...start(), type: 'dev.mayfly.ci.build.finished', ...told };

  expect(admitted(finished, 'ci.acme.build.finished')).toMatchObject({
    ...{ kind: 'finish', id: '42', attempt: 1, reason: 'finished' },
  });
  expect(() => admitted({ ...start(), time: '2026-01-01T10:00:00Z' })).toThrow(
    expect.objectContaining({ code: 'invalid_request' }),
  );
});

test('no message says a value of the event', () => {
  const secret = 'eyJhbGciOi';
  for (const body of [start({ [secret]: 1 }), start({}, { ref: 5 }), start({ reply: secret.repeat(20) })]) {
    try {
      admitted(body);
      expect.unreachable();
    } catch (error) {
      if (!JSON.stringify(body).includes(`"${secret}":`))
        expect((error as Error).message).not.toContain(secret);
    }
  }
});
