import { afterEach, expect, test, vi } from 'vitest';
import { createVerifier, type Verifier } from './index.ts';
import { AUDIENCE, type FakeIssuer, fakeIssuer, ISSUER } from './testing.ts';
import type { VerificationError } from './verification-error.ts';

let verifier: Verifier | undefined;

afterEach(() => {
  verifier?.close();
  vi.useRealTimers();
});

/** A feed that a test writes to. */
function feedOf(issuer: FakeIssuer) {
  const connections: ReadableStreamDefaultController<Uint8Array>[] = [];
  issuer.answers.set(`${ISSUER}/revocations`, () => {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void connections.push(controller) });
    return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  });
  const write = (text: string) => connections.at(-1)?.enqueue(new TextEncoder().encode(text));
  return {
    connections,
    /** Says whether everything that was written has been read. */
    taken: () => (connections.at(-1)?.desiredSize ?? 0) > 0,
    open: () => write('event: open\ndata: {"window":900}\n\n'),
    beat: (time = performance.now() / 1000) => write(`event: beat\ndata: {"time":${time}}\n\n`),
    end: (prefix: string) => write(`id: 7\nevent: build.finished\ndata: {"jti_prefix":"${prefix}"}\n\n`),
  };
}

const codeOf = (verifying: Promise<unknown>) =>
  verifying.then(
    () => 'taken',
    (error: VerificationError) => error.code,
  );

test('without its opening the feed says nothing, and then it says which builds are over', async () => {
  const issuer = await fakeIssuer();
  const feed = feedOf(issuer);
  verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, builds: 'feed', fetch: issuer.fetch });
  const [token, other] = await Promise.all([issuer.sign(), issuer.sign({ jti: 'b3RoZXI.2' })]);
  const first = codeOf(verifier.verify(token));
  await vi.waitFor(() => expect(feed.connections).toHaveLength(1));
  feed.end('b3RoZXI.');
  feed.beat();
  feed.open();
  feed.beat();

  expect(await first).toBe('taken');
  expect(await codeOf(verifier.verify(other))).toBe('build_not_running');
  feed.end('YWNtZS8xL3J1bg.');
  await vi.waitFor(async () =>
    expect(await codeOf(verifier?.verify(token) as never)).toBe('build_not_running'),
  );
});

test('after six seconds without a beat nobody knows, nor by a beat that lay in a buffer', async () => {
  const issuer = await fakeIssuer();
  const feed = feedOf(issuer);
  const token = await issuer.sign();
  verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, builds: 'feed', fetch: issuer.fetch });
  await vi.waitFor(() => expect(feed.connections).toHaveLength(1));
  feed.open();
  feed.beat(100);
  expect(await codeOf(verifier.verify(token))).toBe('taken');

  const real = performance.now.bind(performance);
  const paused = vi.spyOn(performance, 'now').mockImplementation(() => real() + 6100);
  expect(await codeOf(verifier.verify(token))).toBe('cannot_know');
  feed.beat(102);
  await vi.waitFor(() => expect(feed.connections).toHaveLength(2));
  expect(await codeOf(verifier.verify(token))).toBe('cannot_know');
  feed.beat(200);
  feed.end('x.');
  await vi.waitFor(() => expect(feed.taken()).toBe(true));
  expect(await codeOf(verifier.verify(token))).toBe('cannot_know');
  feed.open();
  feed.beat(200);
  await vi.waitFor(async () => expect(await codeOf(verifier?.verify(token) as never)).toBe('taken'));
  paused.mockRestore();
});

test('an opening that was long under way proves nothing until beats have caught up with it', async () => {
  const issuer = await fakeIssuer();
  const feed = feedOf(issuer);
  const token = await issuer.sign();
  verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, builds: 'feed', fetch: issuer.fetch });
  await vi.waitFor(() => expect(feed.connections).toHaveLength(1));
  const real = performance.now.bind(performance);
  const later = vi.spyOn(performance, 'now').mockImplementation(() => real() + 8000);

  feed.open();
  feed.beat(100);
  feed.beat(102);
  await vi.waitFor(() => expect(feed.taken()).toBe(true));
  expect(await codeOf(verifier.verify(token))).toBe('cannot_know');
  feed.beat(108);
  await vi.waitFor(async () => expect(await codeOf(verifier?.verify(token) as never)).toBe('taken'));
  expect(feed.connections).toHaveLength(1);
  later.mockRestore();
});
