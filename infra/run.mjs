// What every npm script begins with. It is plain JavaScript on Node's builtins, because it has to run on the Node that
// a machine happens to have (20 or newer) before anything is installed: it installs, picks Node 24, and hands over.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 24;
const COMMANDS = {
  start: ['infra/start.ts'],
  test: ['infra/test.ts'],
  'test:full': ['infra/test.ts', '--full'],
  'test:containers': ['infra/test.ts', '--containers'],
  compose: ['infra/compose.ts'],
  pack: ['infra/pack.ts'],
  bench: ['test/bench/main.ts'],
};
/** Signals that end npm, and by that this. */
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const root = fileURLToPath(new URL('..', import.meta.url));

await main(process.argv[2], process.argv.slice(3));

async function main(name, args) {
  if (name === undefined || !Object.hasOwn(COMMANDS, name)) {
    return fail(`usage: node infra/run.mjs ${Object.keys(COMMANDS).join('|')} [arguments]`, 2);
  }
  if (!isInstalled() && !(await install())) return;
  const node = findNode();
  if (node === undefined) {
    return fail(`Mayfly needs Node ${NODE_MAJOR} or newer; this one is ${process.versions.node}`, 1);
  }
  const [script, ...options] = COMMANDS[name];
  handOver(node, [script, ...options, ...args]);
}

function fail(message, code) {
  process.stderr.write(`${message}\n`);
  process.exitCode = code;
}

/** Says whether node_modules is what package-lock.json asks for. */
function isInstalled() {
  const asked = join(root, 'package-lock.json');
  const got = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(got)) return false;
  return statSync(asked).mtimeMs <= statSync(got).mtimeMs || holdsAll(asked, got);
}

/** A copied or checked out lock file is newer than node_modules and yet the same: no reason to need a network. */
function holdsAll(asked, got) {
  const wanted = readPackages(asked);
  const present = readPackages(got);
  const isMet = ([path, entry]) =>
    path in present ? JSON.stringify(present[path]) === JSON.stringify(entry) : entry.optional === true;
  return (
    Object.keys(present).every((path) => path in wanted) &&
    Object.entries(wanted).every(([path, entry]) => path === '' || isMet([path, entry]))
  );
}

function readPackages(file) {
  return JSON.parse(readFileSync(file, 'utf8')).packages;
}

/** Says on a terminal, where somebody waits, how long it takes; keeps what npm prints for when it fails. */
async function install() {
  const what = 'installing dependencies (npm ci --ignore-scripts) …';
  process.stderr.write(what);
  const started = Date.now();
  const seconds = () => (Date.now() - started) / 1000;
  const tell = () => process.stderr.write(`\r${what} ${Math.floor(seconds())} s`);
  const ticking = process.stderr.isTTY ? setInterval(tell, 1000) : undefined;
  const { code, error, asked, printed } = await runNpm(['ci', '--ignore-scripts']);
  clearInterval(ticking);
  process.stderr.write(`${process.stderr.isTTY ? `\r${what}` : ''} ${seconds().toFixed(1)} s\n`);
  if (code === 0 && !asked) return true;
  if (asked) process.exitCode = 128 + constants.signals[asked];
  else fail(error ? `npm ci did not run: ${error.message}` : `${printed}npm ci failed`, 1);
  return false;
}

function runNpm(wanted) {
  const cli = process.env.npm_execpath;
  const npm = cli?.endsWith('npm-cli.js') ? [process.execPath, cli] : ['npm'];
  const [file, ...args] = [...npm, ...wanted];
  const chunks = [];
  const printed = () => Buffer.concat(chunks).toString();
  let asked;
  const forward = (signal) => {
    asked = signal;
    child.kill(signal);
  };
  for (const signal of FORWARDED) process.on(signal, forward);
  const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => chunks.push(chunk));
  return new Promise((settle) => {
    child.on('error', (error) => settle({ error, printed: printed() }));
    child.on('close', (code) => settle({ code, asked, printed: printed() }));
  }).finally(() => {
    for (const signal of FORWARDED) process.removeListener(signal, forward);
  });
}

/** Gives the Node from the lock file where it runs, else this one where it is new enough. npm 10 links no .bin/node. */
function findNode() {
  const modules = join(root, 'node_modules');
  const locked = [join(modules, '.bin', 'node'), join(modules, `node-linux-${process.arch}`, 'bin', 'node')];
  const runs = (file) => spawnSync(file, ['--version'], { stdio: 'ignore' }).status === 0;
  const found = process.platform === 'linux' ? locked.find(runs) : undefined;
  return found ?? (Number.parseInt(process.versions.node, 10) >= NODE_MAJOR ? process.execPath : undefined);
}

function handOver(node, args) {
  const places = [join(root, 'node_modules', '.bin'), dirname(node), process.env.PATH ?? ''];
  const path = [...new Set(places)].join(delimiter);
  const env = { ...process.env, PATH: path, TURBO_TELEMETRY_DISABLED: '1' };
  const child = spawn(node, args, { cwd: root, env, stdio: 'inherit' });

  process.on('SIGTERM', () => child.kill('SIGTERM'));
  for (const signal of ['SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      if (!isForeground()) child.kill(signal);
    });
  }
  child.on('error', (error) => fail(`${node} did not start: ${error.message}`, 1));
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}

/** In the foreground of a terminal, Ctrl-C reaches the child by itself, and a second one would mean "at once". */
function isForeground() {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ');
    const [group, foreground] = [fields[2], fields[5]];
    return group === foreground;
  } catch {
    return process.stdin.isTTY === true;
  }
}
