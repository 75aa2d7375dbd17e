import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Exit } from './child.ts';
import type { Recorded } from './pid-file.ts';
import { identify, isAlive } from './process-id.ts';
import { freePorts, processes } from './processes.ts';

const FOREVER = { file: process.execPath, args: ['-e', 'console.log("up"); setInterval(() => {}, 1000)'] };
const UNWILLING = {
  file: process.execPath,
  args: ['-e', 'process.on("SIGTERM", () => {}); console.log("up"); setInterval(() => {}, 1000)'],
};

let dir: string;
let said: string[];
let strangers: ChildProcess[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'mayfly-processes-'));
  said = [];
  strangers = [];
});

afterEach(() => {
  for (const stranger of strangers) stranger.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

const supervise = () => processes(dir, (line) => said.push(line));
const recorded = (): Recorded[] => JSON.parse(readFileSync(join(dir, 'pids.json'), 'utf8'));
const record = (records: Recorded[]) => writeFileSync(join(dir, 'pids.json'), JSON.stringify(records));

/** Starts a process that no supervisor of this test started, and gives its identity once it is up. */
async function stranger({ file, args } = FOREVER) {
  const started = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  strangers.push(started);
  await once(started.stdout, 'data');
  const id = identify(started.pid as number);
  if (id === undefined) throw new Error('the process has ended');
  return id;
}

test('what a killed supervisor left is found by pid and start time, and ended', async () => {
  const left = await stranger();
  record([
    { name: 'supervisor', pid: left.pid, started: 'before' },
    { name: 'nats', ...left },
  ]);

  await supervise().endLeftovers();

  expect(isAlive(left)).toBe(false);
  expect(said).toEqual([`ending nats of an earlier run (pid ${left.pid})`]);
  expect(recorded().map(({ name, pid }) => ({ name, pid }))).toEqual([
    { name: 'supervisor', pid: process.pid },
  ]);
});

test('a leftover that does not heed SIGTERM is killed', { timeout: 15_000 }, async () => {
  const left = await stranger(UNWILLING);
  record([{ name: 'redis', ...left }]);

  await supervise().endLeftovers();

  expect(isAlive(left)).toBe(false);
});

test('a process that only has the pid of a leftover is not touched', async () => {
  const other = await stranger();
  record([{ name: 'nats', pid: other.pid, started: 'before' }]);

  await supervise().endLeftovers();

  expect(isAlive(other)).toBe(true);
  expect(said).toEqual([]);
});

test('a second supervisor is refused while the first is alive, and changes nothing', async () => {
  const first = await stranger();
  const child = await stranger();
  const records = [
    { name: 'supervisor', ...first },
    { name: 'nats', ...child },
  ];
  record(records);

  const second = supervise();

  await expect(second.endLeftovers()).rejects.toThrow(`already running from this folder (${dir})`);
  expect(await second.stopAll()).toBe(false);
  expect(isAlive(child)).toBe(true);
  expect(recorded()).toEqual(records);
});

test('children are recorded while they run, and end in reverse order', async () => {
  const order: string[] = [];
  const supervisor = supervise();
  const children = ['nats', 'redis', 'issuer'].map((name) => supervisor.spawn(name, FOREVER));
  for (const { exited } of children) void exited.then(({ name }) => order.push(name));
  expect(recorded().map(({ name }) => name)).toEqual(['supervisor', 'nats', 'redis', 'issuer']);
  expect(statSync(join(dir, 'pids.json')).mode & 0o777).toBe(0o600);

  await supervisor.stopAll();

  expect(order).toEqual(['issuer', 'redis', 'nats']);
  expect(existsSync(join(dir, 'pids.json'))).toBe(false);
});

test('nothing is started once all is being stopped', async () => {
  const supervisor = supervise();
  await supervisor.endLeftovers();

  const stopped = supervisor.stopAll();

  expect(() => supervisor.spawn('nats', FOREVER)).toThrow('nats is not started: all is being stopped');
  expect(await stopped).toBe(true);
  expect(existsSync(join(dir, 'pids.json'))).toBe(false);
});

test('who spawned a child hears that it ended by itself, and only then', async () => {
  const exits: Exit[] = [];
  const onExit = (exit: Exit) => exits.push(exit);
  const supervisor = supervise();
  const short = supervisor.spawn(
    'short',
    { file: process.execPath, args: ['-e', 'process.exit(3)'] },
    { onExit },
  );
  supervisor.spawn('long', FOREVER, { onExit });

  await short.exited;
  await supervisor.stopAll();

  expect(exits).toEqual([{ name: 'short', code: 3, signal: null }]);
});

test('what a child prints goes to a log file that only its owner reads, or to a function', async () => {
  const lines: string[] = [];
  const logFile = join(dir, 'logs', 'talker.log');
  const talker = { file: process.execPath, args: ['-e', 'console.log("one"); console.error("two")'] };
  const supervisor = supervise();

  await supervisor.spawn('talker', talker, { logFile }).exited;
  supervisor.spawn('talker', talker, { onLine: (line) => lines.push(line) });

  expect(readFileSync(logFile, 'utf8')).toBe('one\ntwo\n');
  expect(statSync(logFile).mode & 0o777).toBe(0o600);
  await vi.waitFor(() => expect(new Set(lines)).toEqual(new Set(['one', 'two'])), { timeout: 5_000 });
  await supervisor.stopAll();
});

test('a child sees the variables of its command and none of the shell by chance', async () => {
  vi.stubEnv('MAYFLY_STRAY', 'stray');
  const logFile = join(dir, 'child.log');
  const args = ['-e', 'console.log(process.env.MAYFLY_STRAY, process.env.MAYFLY_GIVEN)'];
  const supervisor = supervise();

  await supervisor.spawn(
    'child',
    { file: process.execPath, args, env: { MAYFLY_GIVEN: 'given' } },
    { logFile },
  ).exited;

  expect(readFileSync(logFile, 'utf8')).toBe('undefined given\n');
  vi.unstubAllEnvs();
  await supervisor.stopAll();
});

test('a program that is not there is an error with its name', async () => {
  const supervisor = supervise();

  expect(() => supervisor.spawn('nats', { file: join(dir, 'none'), args: [] })).toThrow(
    'nats does not start',
  );

  await supervisor.stopAll();
});

test('free ports are all different', async () => {
  const ports = await freePorts(20);

  expect(new Set(ports).size).toBe(20);
});
