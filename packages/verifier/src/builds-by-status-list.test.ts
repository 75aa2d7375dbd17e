import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createVerifier, type Verifier, type VerifierOptions } from './index.ts';
import { AUDIENCE, codeOf, type FakeIssuer, fakeIssuer, ISSUER, LIST, statusListToken } from './testing.ts';

let issuer: FakeIssuer;
const open: Verifier[] = [];
const realTimeout = globalThis.setTimeout;
const START = 1_795_000_000_000;
/** The wall clock and the monotonic one go together, as far as a test lets them. */
const time = () => START + performance.now();

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  issuer = await fakeIssuer(time);
});
afterEach(() => {
  for (const verifier of open.splice(0)) verifier.close();
  vi.useRealTimers();
});

function verifierOf(options: Partial<VerifierOptions> = {}): Verifier {
  const verifier = createVerifier({
    ...{ issuer: ISSUER, audience: AUDIENCE, now: time, fetch: issuer.fetch, ...options },
  });
  open.push(verifier);
  return verifier;
}

const tokenOf = (idx: number, ago = 0) =>
  issuer.sign({
    iat: Math.floor(time() / 1000) - ago,
    status: { status_list: { idx, uri: LIST } },
  });

/** Lets time pass until something is known; gives it. */
async function after<T>(promise: Promise<T>): Promise<T> {
  let isKnown = false;
  const knowing = promise.finally(() => {
    isKnown = true;
  });
  while (!isKnown) {
    // Signatures are checked in real time, which the time that is made must not outrun.
    await new Promise((resolve) => realTimeout(resolve, 1));
    await pass(5);
  }
  return await knowing;
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const readings = () => issuer.asked.filter((url) => url === LIST).length;

/** A verifier that has read the list, of a build that runs, some time ago. */
async function warmed(ms: number, options: Partial<VerifierOptions> = {}): Promise<Verifier> {
  const verifier = verifierOf(options);
  expect(await codeOf(verifier.verify(await tokenOf(3)))).toBe('taken');
  await pass(ms);
  return verifier;
}

test('a token of a build that began after its list was read is taken, for one reading more', async () => {
  const verifier = await warmed(2000);
  issuer.running.add(4);

  expect(await after(codeOf(verifier.verify(await tokenOf(4))))).toBe('taken');
  expect(readings()).toBe(2);
});

test('a cache on the way, which still has the list from before the build, is passed by', async () => {
  const cached = new Map<string, string>();
  const fetch: typeof issuer.fetch = async (input, init) => {
    const url = String(input);
    const isAllowed = new Headers(init?.headers).get('cache-control') !== 'no-cache';
    const kept = isAllowed ? cached.get(url) : undefined;
    const text = kept ?? (await (await issuer.fetch(input, init)).text());
    cached.set(url, text);
    return new Response(text);
  };
  const verifier = await warmed(2000, { fetch });
  issuer.running.add(4);

  expect(await after(codeOf(verifier.verify(await tokenOf(4))))).toBe('taken');
  expect(readings()).toBe(2);
  // What is read in its turn may come from the cache.
  await pass(4500);
  expect(await codeOf(verifier.verify(await tokenOf(4)))).toBe('taken');
  expect(readings()).toBe(2);
});

test('such a token waits while the issuer gives the same list out again, and is taken', async () => {
  const verifier = await warmed(2000);
  const reused = await statusListToken(issuer, Math.floor(time() / 1000));
  const fresh = issuer.answers.get(LIST) as () => Promise<Response>;
  issuer.answers.set(LIST, () => (readings() === 2 ? new Response(reused) : fresh()));
  issuer.running.add(4);

  expect(await after(codeOf(verifier.verify(await tokenOf(4))))).toBe('taken');
  expect(readings()).toBe(3);
});

test('a token of a build that had long begun when its list was read is refused, and nothing is read for it', async () => {
  const verifier = await warmed(2000);
  const tokens = await Promise.all([tokenOf(9, 6), tokenOf(70_000)]);

  for (const token of tokens) expect(await codeOf(verifier.verify(token))).toBe('build_not_running');
  expect(readings()).toBe(1);
});

test('however many tokens come whose builds are not in a list yet, it is read once a second', async () => {
  const verifier = await warmed(500);
  const tokens = await Promise.all(Array.from({ length: 100 }, (_, at) => tokenOf(100 + at)));
  const began = performance.now();

  const verifyAll = () => after(Promise.all(tokens.map((token) => codeOf(verifier.verify(token)))));

  expect(new Set(await verifyAll())).toEqual(new Set(['cannot_know']));
  await verifyAll();
  expect(readings() - 1).toBeLessThanOrEqual(1 + (performance.now() - began) / 1000);
});

test('a build that was over soon after its token is refused as over once the list is clearly younger', async () => {
  const verifier = await warmed(2000);
  const token = await tokenOf(4);

  expect(await after(codeOf(verifier.verify(token)))).toBe('cannot_know');
  await pass(3000);
  expect(await after(codeOf(verifier.verify(token)))).toBe('build_not_running');
});

test('a list that stays too old for a token, or cannot be read again, says nothing about its build', async () => {
  const lenient = await warmed(2000, { whenUnknown: 'accept' });
  const verifier = await warmed(2000);
  const old = await statusListToken(issuer, Math.floor(time() / 1000) - 2);
  const answers = [
    () => new Response(old),
    () => new Response('', { status: 503 }),
    () => Promise.reject(new TypeError('fetch failed')),
  ];

  for (const answer of answers) {
    issuer.answers.set(LIST, answer);
    const token = await tokenOf(4);
    const verifying = [verifier, lenient].map((one) => codeOf(one.verify(token)));
    expect(await after(Promise.all(verifying))).toEqual(['cannot_know', 'taken']);
  }
});

test('who closes a verifier leaves nobody waiting for a list', async () => {
  const verifier = await warmed(100);
  const verifying = codeOf(verifier.verify(await tokenOf(4)));
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(2), { interval: 5 });
  verifier.close();

  expect(await after(verifying)).toBe('cannot_know');
  expect(readings()).toBe(1);
});
