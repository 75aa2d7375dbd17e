import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { join } from 'node:path';
import { startStandInIssuer } from './stand-in-issuer.ts';

const MEGABYTES = 512;
const MAIN = join(import.meta.dirname, 'main.ts');

/** Writes a build log with `cat` through the real command, and says how fast it came out at the other end. */
await using issuer = await startStandInIssuer();
const directory = mkdtempSync('/dev/shm/mayfly-bench-');
try {
  const line = (at: number) => `2026-11-20T06:37:57.${at}Z [info] compiled src/part-${at % 97}.ts in 12 ms\n`;
  const text = Buffer.from(Array.from({ length: 20_000 }, (_, at) => line(at)).join(''));
  const grant = join(directory, 'grant');
  writeFileSync(grant, JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' })));
  const log = join(directory, 'log');
  const part = Buffer.alloc(1_000_000, text);
  for (let count = 0; count < 64; count += 1) writeFileSync(log, part, { flag: 'a' });
  const files = Array.from({ length: MEGABYTES / 64 }, () => log);
  for (const [name, options] of Object.entries({ 'not masked': ['--no-mask'], masked: [] })) {
    const idle = run(['exec', '--grant', grant, ...options, '--', 'true']);
    const busy = run(['exec', '--grant', grant, ...options, '--', 'cat', ...files]);
    const [wall, work] = [busy.wall - idle.wall, busy.work - idle.work].map((s) => Math.round(MEGABYTES / s));
    console.log(`${name}: ${wall} MB/s; ${work} MB for each second of a processor`);
  }
  console.log(`${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(1)}`);
} finally {
  rmSync(directory, { recursive: true });
}

/** To a pipe, as a CI reads it. Gives how long it took and how long a processor was at work, all processes together, s. */
function run(args: string[]): { wall: number; work: number } {
  const line = 'set -o pipefail; TIMEFORMAT="%R %U %S"; time "$@" | cat > /dev/null';
  const { status, stderr } = spawnSync(
    'bash',
    ['--norc', '-c', line, 'bash', process.execPath, MAIN, ...args],
    {
      env: {
        PATH: process.env['PATH'],
        MAYFLY_ID_TOKEN_REQUEST_URL: issuer.requestUrl,
        MAYFLY_ID_TOKEN_REQUEST_TOKEN: issuer.requestToken,
      },
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(stderr);
  const [wall = 0, user = 0, system = 0] = (stderr.trim().split('\n').at(-1) ?? '').split(' ').map(Number);
  return { wall, work: user + system };
}
