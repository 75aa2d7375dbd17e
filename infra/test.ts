import { spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildImages } from './images.ts';
import { countResults } from './report.ts';
import { fetchNats, findServers } from './servers.ts';

const USAGE = `usage: npm test [-- NAME …]                  types, lint, boundaries, unit tests, system tests
       npm run test:full [-- NAME …]         the long ones, which print their figures
       npm run test:containers [-- NAME …]   the system tests on containers (Docker or the like must run)

NAME picks test files by a part of their names.`;

const root = fileURLToPath(new URL('..', import.meta.url));
const results = join(root, '.results');
/** Most of what tests start is our own code, again and again: each process finds it compiled. */
const compiled = join(root, '.cache', 'node');
const bin = (name: string) => join(root, 'node_modules', '.bin', name);
const vitest = [process.execPath, join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run'];

type Step = { name: string; cwd?: string; command: string[]; env?: Record<string, string> };

await main();

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      full: { type: 'boolean', default: false },
      containers: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return console.log(USAGE);
  rmSync(results, { recursive: true, force: true });
  mkdirSync(results, { recursive: true });
  await (values.containers ? buildImages((line) => console.log(line)) : fetchServers());
  const red: string[] = [];
  for (const step of stepsOf(values, positionals)) if (!(await run(step))) red.push(step.name);
  const { passed, failed, skipped } = countResults(results, root, (line) => console.log(line));
  for (const name of red) console.log(`failed: ${name}`);
  const isRed = red.length > 0 || failed > 0 || passed === 0;
  console.log(`${passed} passed, ${isRed ? Math.max(failed, 1) : 0} failed, ${skipped} skipped`);
  if (isRed) process.exitCode = 1;
}

/** Once, before the tests that run at the same time all look for them. */
async function fetchServers(): Promise<void> {
  const cache = join(root, '.cache', 'servers');
  const say = (line: string) => console.log(line);
  await findServers({ cache, say });
  for (const suite of ['trixie', 'forky'] as const) await fetchNats(suite, cache, say);
}

function stepsOf({ full, containers }: { full: boolean; containers: boolean }, names: string[]): Step[] {
  if (containers) {
    return [1, 2].map((replicas) =>
      systemTests(`containers-${replicas}`, names, {
        MAYFLY_TEST_ENGINE: 'containers',
        MAYFLY_TEST_REPLICAS: String(replicas),
      }),
    );
  }
  if (full) return [systemTests('full', names, { MAYFLY_TEST_FULL: '1' })];
  const checks: Step[] = [
    { name: 'lint', command: [bin('biome'), 'ci', '--error-on-warnings', '.'] },
    { name: 'boundaries', command: [bin('turbo'), 'boundaries'] },
    {
      name: 'types and unit tests',
      command: [bin('turbo'), 'run', 'typecheck', 'test', '--concurrency=3', '--output-logs=errors-only'],
    },
  ];
  if (names.length > 0) return [systemTests('system', names, {})];
  return [
    ...checks,
    systemTests('system', [], { MAYFLY_TEST_MEASURING: '0' }),
    systemTests('measuring', [], { MAYFLY_TEST_MEASURING: '1' }),
  ];
}

function systemTests(name: string, files: string[], env: Record<string, string>): Step {
  const report = [
    `--outputFile.json=${join(results, `${name}.json`)}`,
    '--reporter=json',
    `--reporter=${join(root, 'infra', 'failures-reporter.ts')}`,
    '--reporter=default',
  ];
  return { name: `${name} tests`, cwd: join(root, 'test'), command: [...vitest, ...report, ...files], env };
}

async function run({ name, cwd = root, command, env }: Step): Promise<boolean> {
  const started = performance.now();
  console.log(`▶ ${name}`);
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: compiled,
      ...env,
      MAYFLY_RESULTS: results,
      FORCE_COLOR: '0',
      TURBO_TELEMETRY_DISABLED: '1',
    },
  });
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (exitCode) => resolve(exitCode ?? 1));
  });
  console.log(`${code === 0 ? '✓' : '✗'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  return code === 0;
}
