import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { type BenchText, benchText, TEXTS } from './bench-texts.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';

const MEGABYTES = 256;
const ROUNDS = 2;
const MAIN = join(import.meta.dirname, 'main.ts');
/** What the same output costs in Node alone: a child, its output to ours, nothing looked at. */
const BARE =
  "require('child_process').spawn('cat', process.argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] }).stdout.pipe(process.stdout)";

type Cost = { wall: number; work: number };

/** Writes output with `cat` through the real command, to a pipe; says how fast it came out, best of a few rounds. */
await using issuer = await startStandInIssuer();
const directory = mkdtempSync('/dev/shm/mayfly-bench-');
try {
  const grant = join(directory, 'grant');
  writeFileSync(grant, JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' })));
  for (const text of Object.keys(TEXTS) as BenchText[]) {
    const part = join(directory, 'part');
    writeFileSync(part, Buffer.alloc(64_000_000, benchText(text)));
    const files = Array.from({ length: MEGABYTES / 64 }, () => part);
    const exec = (...command: string[]) => [MAIN, 'exec', '--grant', grant, '--', ...command];
    const rounds = Array.from({ length: ROUNDS }, () => ({
      bare: { busy: run(['-e', BARE, ...files]), idle: run(['-e', BARE, '/dev/null']) },
      masked: { busy: run(exec('cat', ...files)), idle: run(exec('true')) },
    }));
    console.log(`${text}: ${told(rounds, 'masked')}; a bare pipe ${told(rounds, 'bare')}`);
  }
  console.log(`${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}`);
} finally {
  rmSync(directory, { recursive: true });
}

/** The best of each by itself: what else the machine did in one of them is no matter. */
function told<Name extends string>(rounds: Record<Name, { busy: Cost; idle: Cost }>[], name: Name): string {
  const [wall, work] = (['wall', 'work'] as const).map((cost) => {
    const [busy, idle] = (['busy', 'idle'] as const).map((kind) =>
      Math.min(...rounds.map((round) => round[name][kind][cost])),
    );
    return Math.round(MEGABYTES / ((busy ?? 0) - (idle ?? 0)));
  });
  return `${wall} MB/s by the clock, ${work} MB for each second of a processor`;
}

/** To a pipe, as a CI reads it. Gives how long it took and how long a processor was at work, all processes together, s. */
function run(args: string[]): Cost {
  const line = 'set -o pipefail; TIMEFORMAT="%R %U %S"; time "$@" | cat > /dev/null';
  const { status, stderr } = spawnSync('bash', ['--norc', '-c', line, 'bash', process.execPath, ...args], {
    env: {
      PATH: process.env['PATH'],
      MAYFLY_ID_TOKEN_REQUEST_URL: issuer.requestUrl,
      MAYFLY_ID_TOKEN_REQUEST_TOKEN: issuer.requestToken,
    },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const [wall = 0, user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  return { wall, work: user + system };
}
