import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TokenGrant } from '@mayfly/contracts/events';
import { isAlive, type ProcessId } from '@mayfly/infra/process-id';
import { afterAll, expect, onTestFinished, test } from 'vitest';
import { eventually, startedEvent } from './ci.ts';
import { TEST_POLICY } from './system.ts';

const API = 'https://api.example.com';
const RUN = fileURLToPath(new URL('../infra/run.mjs', import.meta.url));
const UP = 'Ctrl-C ends everything.';

const folder = mkdtempSync(join(tmpdir(), 'mayfly-start-'));
const dir = join(folder, 'own');
const policyFile = join(folder, 'mayfly.yaml');
writeFileSync(policyFile, TEST_POLICY);
afterAll(() => {
  for (const one of recorded()) if (isAlive(one)) process.kill(one.pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

type Recorded = ProcessId & { name: string };

/** What `npm start` runs, with the folder and the policy of this test. */
function npmStart(args: string[], env: Record<string, string> = {}) {
  const child = spawn(process.execPath, [RUN, 'start', '--dir', dir, ...args], {
    // No terminal: signals reach it by its id alone.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, MAYFLY_CONFIG: policyFile, ...env },
  });
  onTestFinished(() => void child.kill('SIGTERM'));
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => said.push(String(data)));
  const closed = once(child, 'close');
  return { child, output: () => said.join(''), code: async () => (await closed)[0] as number | null };
}

function recorded(): Recorded[] {
  const file = join(dir, 'pids.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Recorded[]) : [];
}

async function up(run: { child: ChildProcess; output(): string }): Promise<void> {
  await eventually(() => run.output().includes(UP) || run.child.exitCode !== null, 'system', 90_000);
  expect(run.output()).toContain(UP);
}

const port = (name: string): number => JSON.parse(readFileSync(join(dir, 'ports.json'), 'utf8'))[name];

async function kids(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${port('jwks-publisher')}/acme/jwks`);
  return ((await answer.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
}

test('npm start -- --once runs one build, tells each step, ends with 0, leaves no process, and what it keeps is private', async () => {
  const run = npmStart(['--once']);

  expect(await run.code()).toBe(0);
  const steps = run.output().match(/^ {2}✓ .* \(\d+\.\d ms\)$/gm);
  expect(steps).toHaveLength(9);
  expect(steps?.at(-1)).toContain('the request token buys nothing more');
  expect(run.output()).toMatch(/stopped; no process is left\n$/);
  expect(recorded()).toEqual([]);
  const names = await readdir(dir, { recursive: true });
  expect(names.length).toBeGreaterThan(30);
  for (const name of ['', ...names]) {
    const entry = statSync(join(dir, name));
    expect(`${name} ${(entry.mode & 0o777).toString(8)}`).toBe(`${name} ${entry.isFile() ? 600 : 700}`);
  }
});

test('a policy whose relying parties share no audience with a source is refused with 1 and one line', async () => {
  const file = join(folder, 'apart.yaml');
  writeFileSync(
    file,
    `sources: { acme: { audiences: [${API}] } }\nrelying_parties: { a: { audiences: [b] } }\n`,
  );

  const run = npmStart(['--once'], { MAYFLY_CONFIG: file });

  expect(await run.code()).toBe(1);
  expect(run.output()).toContain('npm start: apart.yaml has no relying party with an audience of one of its');
  expect(run.output()).not.toContain('are up');
});

test('told to stop while it looks for servers, it starts nothing, and --once ends with 128 and the signal', async () => {
  const slow = join(folder, 'slow-server');
  writeFileSync(slow, `#!/bin/sh\necho $$ > '${slow}.pid'\nexec sleep 60\n`);
  chmodSync(slow, 0o755);
  const run = npmStart(['--once'], { MAYFLY_NATS_SERVER: slow });
  await eventually(() => existsSync(`${slow}.pid`), 'search');

  run.child.kill('SIGTERM');

  expect(await run.code()).toBe(143);
  expect(run.output()).toBe('stopped; no process is left\n');
  expect(recorded()).toEqual([]);
});

test('after kill -9 of it and of a service it starts again with the same keys and builds; a second one is refused; Ctrl-C ends all', {
  timeout: 180_000,
}, async () => {
  const first = npmStart([]);
  await up(first);
  const before = await kids();
  const [, events, file] =
    /^CI events +(\S+), as acme with the password in (.+)$/m.exec(first.output()) ?? [];
  const authorization = `Basic ${btoa(`acme:${readFileSync(file as string, 'utf8').trim()}`)}`;
  const post = (url: string, type: string, body: unknown) =>
    fetch(url, {
      method: 'POST',
      headers: { authorization, 'content-type': type },
      body: JSON.stringify(body),
    });
  const started = startedEvent('acme', { id: 'kept' });
  expect((await post(events as string, 'application/cloudevents+json', started)).status).toBe(202);
  const grant = await eventually(async () => {
    const answer = await post(`http://127.0.0.1:${port('issuer')}/grant`, 'application/json', { id: 'kept' });
    return answer.status === 200 && ((await answer.json()) as TokenGrant);
  }, 'grant');

  const second = npmStart(['--once']);
  expect(await second.code()).toBe(1);
  expect(second.output()).toMatch(/^npm start: Mayfly is already running from this folder .*\n$/);

  const processes = recorded();
  expect(processes.filter(isAlive)).toHaveLength(7);
  for (const { name, pid } of processes) {
    if (name === 'supervisor' || name === 'issuer') process.kill(pid, 'SIGKILL');
  }
  expect(await first.code()).toBe(137);
  const third = npmStart([]);
  await up(third);

  expect(processes.filter(isAlive)).toEqual([]);
  expect(await kids()).toEqual(before);
  const { id_token_request_url: url, id_token_request_token: token } = grant.data;
  const answer = await fetch(`${url}&audience=${API}`, { headers: { authorization: `Bearer ${token}` } });
  expect(answer.status).toBe(200);

  const living = recorded();
  third.child.kill('SIGINT');
  expect(await third.code()).toBe(0);
  expect(third.output()).toMatch(/stopped; no process is left\n$/);
  expect(living.filter(isAlive)).toEqual([]);
  expect(recorded()).toEqual([]);
});
