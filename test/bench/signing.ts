import { spawnSync } from 'node:child_process';
import { generateSigningKey } from '@mayfly/key-manager/generate';
import type { NewKey } from '@mayfly/key-manager/keyring';
import { type SignPool, signPool } from '@mayfly/key-manager/sign-pool';
import { CompactSign, importJWK } from 'jose';
import { idTokenClaims, signIdTokens } from '../keys-requests.ts';
import { keysSystem } from '../keys-system.ts';

/**
 * Measures signatures a second in the process, under a load that batches, as a ratio to what `openssl speed -multi 2`
 * signs in the same round (also by the CPU time that each took, since others may use the cores); then how long a single signature takes, beside jose's own; then tokens a second over the bus.
 * Medians of alternating rounds. Run it with `node test/bench/signing.ts [rounds] [seconds]`.
 */
const [ROUNDS = 5, SECONDS = 2] = process.argv.slice(2).map(Number);
const IN_FLIGHT = 192;
const SINGLES = 300;

const ALGORITHMS = {
  RS256: { openssl: 'rsa2048', least: 0.95 },
  ES256: { openssl: 'ecdsap256', least: 0.7 },
} as const;
type Name = keyof typeof ALGORITHMS;

const pool = signPool();
const keys = { RS256: await generateSigningKey('RS256'), ES256: await generateSigningKey('ES256') };
const input = `${Buffer.from('{"alg":"RS256","kid":"0123456789012345678901234567890123456789012","typ":"JWT"}').toString('base64url')}.${Buffer.from(JSON.stringify({ iss: 'https://ci.example/acme', ...idTokenClaims() })).toString('base64url')}`;
for (const name of ['RS256', 'ES256'] as const) await compare(name);
for (const name of ['RS256', 'ES256'] as const) await compareSingles(name);
await pool.close();
await overTheBus();

async function compare(name: Name): Promise<void> {
  const { openssl, least } = ALGORITHMS[name];
  await signFor(0.5, pool, keys[name]);
  const rounds: { ours: number; theirs: number; perCpu: number; theirsPerCpu: number }[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = opensslSpeed(openssl);
    const { ours, perCpu } = await signFor(SECONDS, pool, keys[name]);
    const after = opensslSpeed(openssl);
    // Without -multi it divides by the CPU time that it took.
    rounds.push({ ours, perCpu, theirs: (before + after) / 2, theirsPerCpu: opensslSpeed(openssl, []) });
  }
  const ratio = median(rounds.map(({ ours, theirs }) => ours / theirs));
  const cpuRatio = median(rounds.map(({ perCpu, theirsPerCpu }) => perCpu / theirsPerCpu));
  const [ours, theirs] = [median(rounds.map((one) => one.ours)), median(rounds.map((one) => one.theirs))];
  console.log(
    `${name}: ${ours.toFixed(0)}/s, openssl -multi 2 ${theirs.toFixed(0)}/s, ratio ${ratio.toFixed(2)} ` +
      `(at least ${least}: ${ratio >= least ? 'yes' : 'NO'}), by CPU time ${cpuRatio.toFixed(2)}`,
  );
}

/** Signs for some seconds with a steady number in flight; gives signatures a second, and a second of CPU time. */
async function signFor(seconds: number, { sign }: SignPool, key: NewKey) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const end = start + seconds * 1000;
  let count = 0;
  const one = async () => {
    while (performance.now() < end) {
      await sign(key, input);
      count++;
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, one));
  const { user, system } = process.cpuUsage(cpu);
  const ours = (count * 1000) / (performance.now() - start);
  return { ours, perCpu: (count * 1_000_000) / (user + system) };
}

/** Half as long as a round, twice a round: before it and after it. */
function opensslSpeed(algorithm: string, multi = ['-multi', '2']): number {
  const args = [
    'speed',
    ...multi,
    '-seconds',
    String(Math.max(1, Math.round(SECONDS / 2))),
    '-mr',
    algorithm,
  ];
  const { stdout } = spawnSync('openssl', args, { encoding: 'utf8' });
  // RSA: `+F2:<index>:<bits>:<signatures a second>:…`, ECDSA: `+F4:…`.
  const line = stdout.split('\n').find((one) => /^\+F[24]:/.test(one));
  const rate = Number(line?.split(':')[3]);
  if (!(rate > 0)) throw new Error('openssl speed printed nothing that can be read');
  return rate;
}

async function compareSingles(name: Name): Promise<void> {
  const imported = await importJWK(keys[name].jwk, name, { extractable: false });
  const payload = Buffer.from(input);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let i = 0; i < SINGLES; i++) {
    ours.push(await timed(() => pool.sign(keys[name], input)));
    theirs.push(await timed(() => new CompactSign(payload).setProtectedHeader({ alg: name }).sign(imported)));
  }
  const line = (times: number[]) =>
    `p50 ${median(times).toFixed(2)}, p99 ${percentile(times, 0.99).toFixed(2)} ms`;
  console.log(`${name}, one at a time: ${line(ours)}; jose ${line(theirs)}`);
}

async function overTheBus(): Promise<void> {
  await using system = await keysSystem();
  const issuer = await system.connectAs('issuer');
  await signIdTokens(issuer, [idTokenClaims()]);
  for (const name of ['RS256', 'ES256'] as const) {
    const end = performance.now() + SECONDS * 1000;
    let count = 0;
    const one = async () => {
      while (performance.now() < end) {
        const claims = Array.from({ length: 32 }, () => idTokenClaims());
        // Counted afterwards: `count += await …` takes the count from before the wait.
        const { length } = await signIdTokens(issuer, claims, name);
        count += length;
      }
    };
    await Promise.all(Array.from({ length: 8 }, one));
    console.log(`${name} over the bus, in requests of 32: ${(count / SECONDS).toFixed(0)} tokens/s`);
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

function percentile(values: number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * part)] as number;
}

function median(values: number[]): number {
  return percentile(values, 0.5);
}
