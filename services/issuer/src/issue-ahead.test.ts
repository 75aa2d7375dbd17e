import { ServiceError } from '@mayfly/contracts/errors';
import { expect, test } from 'vitest';
import type { Issued, Running } from './issue.ts';
import { issueAhead } from './issue-ahead.ts';

const buildAt = (seq: number, stream = '2026-11-20T06:00:00Z'): Running => ({
  stream,
  asked: { now: 0, clock: 0 },
  build: {
    ...{ source: 'acme', attempt: 1, seq, digest: 'd', started_at: 0, deadline: 3_600_000 },
    build: { id: '1' },
  },
});

/** Looks up a build that was last found as `last`; `found` says how that ends, and what was done is written down. */
function lookUp(last: Running | undefined) {
  const { promise: finding, resolve: found, reject: notFound } = Promise.withResolvers<Running>();
  const done: string[] = [];
  const issue = async (running: Running): Promise<Issued> => {
    done.push(`issued ${running.build.seq}`);
    return { token: `of ${running.build.seq}`, jti: '', audience: 'a', expiresAt: 1 };
  };
  const takeBack = ({ build }: Running, { token }: Issued) =>
    void done.push(`took back ${build.seq}: ${token}`);
  return { answer: issueAhead({ finding, last, issue, takeBack }), found, notFound, done };
}

test('a build that was found before is issued to while it is looked up, and gets the token once it is found', async () => {
  const last = buildAt(1);
  const { answer, found, done } = lookUp(last);
  expect(done).toEqual(['issued 1']);

  found({ ...last });
  expect((await answer).issued.token).toBe('of 1');
  expect(done).toEqual(['issued 1']);
});

test('a build that was not found before is issued to once it is found', async () => {
  const { answer, found, done } = lookUp(undefined);
  expect(done).toEqual([]);

  found(buildAt(2));
  expect((await answer).issued.token).toBe('of 2');
});

test('the token of a build that is over, or of which nobody knows, goes to nobody and is not counted', async () => {
  const { answer, notFound, done } = lookUp(buildAt(1));
  notFound(new ServiceError('invalid_token', 'the request token names no running build'));

  await expect(answer).rejects.toThrow('names no running build');
  expect(done).toEqual(['issued 1', 'took back 1: of 1']);
});

const LAST = buildAt(1);

test.each([
  ['was started again', buildAt(2), 'of 2'],
  ['came by another stream', { ...LAST, stream: '2026-11-21T06:00:00Z' }, 'of 1'],
  ['has other facts', buildAt(1), 'of 1'],
])('a build that %s gets a token of what it is now', async (_, now, token) => {
  const { answer, found, done } = lookUp(LAST);
  found(now);

  const { running, issued } = await answer;
  expect([running, issued.token]).toEqual([now, token]);
  expect(new Set(done)).toEqual(new Set(['issued 1', 'took back 1: of 1', `issued ${now.build.seq}`]));
  expect(done.length).toBe(3);
});

test('a build that has changed gets its token also where it was refused as it was', async () => {
  const now = buildAt(2);
  const issue = async (running: Running): Promise<Issued> => {
    if (running === LAST) throw new ServiceError('access_denied', 'the build declares no tokens');
    return { token: 'of 2', jti: '', audience: 'a', expiresAt: 1 };
  };
  const answer = issueAhead({ finding: Promise.resolve(now), last: LAST, issue, takeBack: () => undefined });

  expect((await answer).issued.token).toBe('of 2');
});

test('who is refused does not wait for what was begun for nothing, and that is taken back once it is there', async () => {
  const { promise, resolve } = Promise.withResolvers<Issued>();
  const taken: string[] = [];
  const answer = issueAhead({
    finding: Promise.reject(new ServiceError('temporarily_unavailable', 'nobody knows')),
    last: LAST,
    issue: () => promise,
    takeBack: (_running, { token }) => void taken.push(token),
  });
  await expect(answer).rejects.toThrow('nobody knows');

  resolve({ token: 'late', jti: '', audience: 'a', expiresAt: 1 });
  await expect.poll(() => taken).toEqual(['late']);
});

test('what finding a build throws goes before what issuing to it throws', async () => {
  const refuse = () => Promise.reject(new ServiceError('invalid_target', 'audience is not allowed'));
  const last = buildAt(1);
  const given = { last, issue: refuse, takeBack: () => undefined };
  const gone = Promise.reject(new ServiceError('invalid_token', 'the request token names no running build'));

  await expect(issueAhead({ ...given, finding: gone })).rejects.toThrow('names no running build');
  await expect(issueAhead({ ...given, finding: Promise.resolve(last) })).rejects.toThrow('not allowed');
});
