import { createVerifier } from '@mayfly/verifier';
import { AUDIENCE, type FakeIssuer, fakeIssuer, ISSUER, makeKey } from '@mayfly/verifier/testing';
import { importJWK, jwtVerify } from 'jose';

/**
 * Measures verifications a second of `@mayfly/verifier`, revocation included, as a ratio to a bare `jwtVerify` with a
 * local key, of the same tokens, in alternating rounds; medians. Run it with `node test/bench/verifier.ts [rounds] [ms]`.
 */
const [ROUNDS = 7, ROUND_MS = 1000] = process.argv.slice(2).map(Number);
const LEAST = 0.9;
const TOKENS = 500;
const AT_ONCE = 32;

for (const alg of ['RS256', 'ES256'] as const)
  for (const builds of ['status-list', 'feed'] as const) await compare(alg, builds);

async function compare(alg: 'RS256' | 'ES256', builds: 'status-list' | 'feed'): Promise<void> {
  const issuer = await fakeIssuer();
  issuer.signing = await makeKey('k1', alg);
  issuer.keys = [issuer.signing.jwk];
  const stop = openFeed(issuer);
  const facts = {
    repository: 'octo/hello',
    ref: 'refs/heads/main',
    sha: '9fceb02d0ae598e95dc970b74767f19372d61af8',
  };
  const tokens = await Promise.all(
    Array.from({ length: TOKENS }, (_, index) =>
      issuer.sign({ ...facts, run: String(index) }, { alg }, issuer.signing.privateKey),
    ),
  );
  const key = await importJWK(issuer.signing.jwk, alg);
  using verifier = createVerifier({ issuer: ISSUER, audience: AUDIENCE, builds, fetch: issuer.fetch });
  await verifier.verify(tokens[0] ?? '');

  const ours = (token: string) => verifier.verify(token);
  const bare = (token: string) => jwtVerify(token, key, { issuer: ISSUER, audience: AUDIENCE });
  await rate(ours, tokens, 300);
  await rate(bare, tokens, 300);
  const rounds: { ours: Rate; bare: Rate }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const first = await rate(bare, tokens, ROUND_MS / 2);
    const mine = await rate(ours, tokens, ROUND_MS);
    const second = await rate(bare, tokens, ROUND_MS / 2);
    const both = { perSecond: (first.perSecond + second.perSecond) / 2, cpu: (first.cpu + second.cpu) / 2 };
    rounds.push({ ours: mine, bare: both });
  }
  stop();
  const ratio = median(rounds.map((one) => one.ours.perSecond / one.bare.perSecond));
  const ofCpu = median(rounds.map((one) => one.bare.cpu / one.ours.cpu));
  const per = (name: 'ours' | 'bare') => median(rounds.map((one) => one[name].perSecond)).toFixed(0);
  console.log(
    `${alg} by ${builds}: ${per('ours')}/s, bare jwtVerify ${per('bare')}/s, ratio ${ratio.toFixed(2)}, of processor time ${ofCpu.toFixed(2)} ` +
      `(at least ${LEAST}: ${ratio >= LEAST ? 'yes' : 'NO'})`,
  );
}

/** A feed with ten thousand builds that ended, and a beat every two seconds. */
function openFeed(issuer: FakeIssuer): () => void {
  let timer: NodeJS.Timeout | undefined;
  const beat = () => `event: beat\ndata: {"time":${Date.now() / 1000}}\n\n`;
  issuer.answers.set(`${ISSUER}/revocations`, () => {
    const encoder = new TextEncoder();
    const ends = Array.from(
      { length: 10_000 },
      (_, id) => `id: ${id}\nevent: build.finished\ndata: {"jti_prefix":"${id}."}\n\n`,
    );
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const write = (text: string) => controller.enqueue(encoder.encode(text));
        write(`${ends.join('')}event: open\ndata: {"window":900}\n\n${beat()}`);
        timer = setInterval(() => write(beat()), 2000);
      },
      cancel: () => clearInterval(timer),
    });
    return new Response(body);
  });
  return () => clearInterval(timer);
}

/** How many a second, and how much processor time each took (us), which other processes here do not change. */
type Rate = { perSecond: number; cpu: number };

async function rate(
  verify: (token: string) => Promise<unknown>,
  tokens: string[],
  ms: number,
): Promise<Rate> {
  let done = 0;
  const before = process.cpuUsage();
  const started = performance.now();
  const work = async () => {
    while (performance.now() - started < ms) {
      await verify(tokens[done % tokens.length] ?? '');
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const { user, system } = process.cpuUsage(before);
  return { perSecond: (done / (performance.now() - started)) * 1000, cpu: (user + system) / done };
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
