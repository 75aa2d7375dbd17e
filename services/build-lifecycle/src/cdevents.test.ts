import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { admit } from './admit.ts';
import { fromCdEvent, isCdEvent } from './cdevents.ts';

const CONFORMANCE = new URL('../../../../shared/vectors/cdevents-0.5.1/conformance/', import.meta.url);
const hasVectors = existsSync(CONFORMANCE);
const noVectors = hasVectors
  ? {}
  : { skip: true, meta: { skipped: 'the vectors are not beside this repository' } };

declare module 'vitest' {
  interface TaskMeta {
    skipped?: string;
  }
}

const files = hasVectors ? readdirSync(CONFORMANCE).filter((name) => name.endsWith('.json')) : [];
const read = (name: string) => JSON.parse(readFileSync(new URL(name, CONFORMANCE), 'utf8')) as object;
const OURS = /^(pipelinerun|taskrun|build)_(started|finished)\.json$/;

const cdEvent = (type: string, content: object = {}, customData?: unknown) => ({
  context: { id: 'e1', source: '/tekton', type, timestamp: '2026-01-01T00:00:00Z' },
  subject: { id: 'run-7', content },
  ...(customData === undefined ? {} : { customData }),
});

test('every conformance event is one of ours or ignored: none is refused', noVectors, () => {
  expect(files.length).toBeGreaterThanOrEqual(45);
  for (const name of files) {
    const { kind } = fromCdEvent(read(name), 'acme');
    const [, , verb] = OURS.exec(name) ?? [];
    expect([name, kind]).toEqual([name, verb ?? 'ignored']);
  }
});

test.for(['0.2.0', '0.2.3', '0.3.0'])('version %s of a type is known by its beginning', (version) => {
  expect(fromCdEvent(cdEvent(`dev.cdevents.pipelinerun.started.${version}`), 'acme').kind).toBe('started');
});

test.for(['0.1.0', '0.4.0', '1.3.0', '0.3', '0.3.0.1'])(
  'version %s is none that we know, and is ignored',
  (version) => {
    expect(fromCdEvent(cdEvent(`dev.cdevents.pipelinerun.started.${version}`), 'acme').kind).toBe('ignored');
  },
);

test('what the CDEvent says becomes facts, and our own facts in customData win', () => {
  const facts = {
    build: { ref: 'refs/heads/main', pipeline: { id: '1', name: 'ours' } },
    id_tokens: {},
    reply: 'r',
  };
  const content = { pipelineName: 'theirs', uri: 'https://ci.example.com/7' };
  const told = fromCdEvent(
    cdEvent('dev.cdevents.pipelinerun.started.0.3.0', content, { mayfly: facts }),
    'acme',
  );

  expect(told).toMatchObject({
    kind: 'started',
    event: {
      source: 'acme',
      data: {
        build: {
          id: 'run-7',
          ref: 'refs/heads/main',
          url: 'https://ci.example.com/7',
          pipeline: { id: '1', name: 'ours' },
        },
        id_tokens: {},
        reply: 'r',
      },
    },
  });
});

test('no fact in customData gives a build another id than its subject has', () => {
  const told = fromCdEvent(
    cdEvent('dev.cdevents.build.started.0.3.0', {}, { mayfly: { build: { id: 'other' } } }),
    'acme',
  );

  expect(told).toMatchObject({ event: { data: { build: { id: 'run-7' } } } });
});

test('an outcome ends a build with its reason, of the attempt that customData names', () => {
  const told = fromCdEvent(
    cdEvent(
      'dev.cdevents.taskrun.finished.0.2.0',
      { outcome: 'cancel' },
      { mayfly: { build: { attempt: 2 } } },
    ),
    'acme',
  );

  expect(told).toMatchObject({
    kind: 'finished',
    event: { data: { id: 'run-7', attempt: 2, outcome: 'cancel' } },
  });
});

test.for([
  ['no subject', { ...cdEvent('dev.cdevents.build.started.0.3.0'), subject: undefined }],
  ['facts that are no object', cdEvent('dev.cdevents.build.started.0.3.0', {}, { mayfly: 'x' })],
  ['facts that nobody knows', cdEvent('dev.cdevents.build.started.0.3.0', {}, { mayfly: { admin: true } })],
  [
    'an id that is none',
    { ...cdEvent('dev.cdevents.build.started.0.3.0'), subject: { id: 'a b', content: {} } },
  ],
])('a CDEvent with %s is refused', ([, body]) => {
  expect(() => fromCdEvent(body, 'acme')).toThrow(expect.objectContaining({ code: 'invalid_request' }));
});

test('in a CloudEvent the CDEvent is its data', () => {
  const body = {
    specversion: '1.0',
    type: 'dev.cdevents.build.started.0.3.0',
    data: cdEvent('dev.cdevents.build.started.0.3.0'),
  };

  expect(isCdEvent(body)).toBe(true);
  expect(fromCdEvent(body, 'acme').kind).toBe('started');
  expect(isCdEvent({ type: 'dev.mayfly.ci.build.started', data: {} })).toBe(false);
});

test('a finish on the subject of starts is refused', () => {
  const data = Buffer.from(JSON.stringify({ ...cdEvent('dev.cdevents.build.finished.0.3.0') }));
  const event = {
    eventName: 'ci.acme.build.started',
    seq: 1,
    storedAt: Date.parse('2026-01-01T00:00:00Z'),
    data,
  };

  expect(() => admit(event, { sources: { acme: { audiences: ['a'] } } })).toThrow(
    expect.objectContaining({ code: 'invalid_request' }),
  );
});
