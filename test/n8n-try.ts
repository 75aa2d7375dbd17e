import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from './ci.ts';
import { startApi } from './n8n-api.ts';
import { testSystem } from './system.ts';

const USAGE = `usage: node test/n8n-try.ts [--version 2.35.0] [--dir DIR]

Installs the real n8n into DIR (a temporary one if left out) and runs a workflow in it, twice at once, that calls an API
as its own execution. The hooks and the node are those of packages/n8n, Mayfly is one of this run's own.`;

const API = 'https://api.example.com';
const N8N = join(import.meta.dirname, '..', 'packages', 'n8n');
const { values } = parseArgs({
  options: {
    version: { type: 'string', default: '2.35.0' },
    dir: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(USAGE);
else await tryN8n(values.dir ?? mkdtempSync(join(tmpdir(), 'mayfly-n8n-')), values.version);

async function tryN8n(dir: string, version: string): Promise<void> {
  install(dir, version);
  await using system = await testSystem({
    policy: `sources: { n8n: { profile: n8n, audiences: [${API}] } }\nrelying_parties: { api: { audiences: [${API}] } }\n`,
  });
  await using api = await startApi(system, API);
  const secretFile = join(dir, 'source-secret');
  writeFileSync(secretFile, system.secret('source-n8n'), { mode: 0o600 });
  const port = 20_000 + (process.pid % 20_000);
  const env = {
    ...{ PATH: process.env['PATH'], HOME: dir, N8N_USER_FOLDER: mkdtempSync(join(dir, 'user-')) },
    ...{ EXTERNAL_HOOK_FILES: join(N8N, 'hooks.cjs'), N8N_CUSTOM_EXTENSIONS: join(N8N, 'nodes') },
    ...{ MAYFLY_EVENTS_URL: system.urlOf('build-lifecycle'), MAYFLY_ISSUER_URL: system.urlOf('issuer') },
    ...{ MAYFLY_SOURCE: 'n8n', MAYFLY_SOURCE_SECRET_FILE: secretFile },
    ...{
      N8N_PORT: String(port),
      N8N_DIAGNOSTICS_ENABLED: 'false',
      N8N_VERSION_NOTIFICATIONS_ENABLED: 'false',
    },
    ...{ N8N_TEMPLATES_ENABLED: 'false', N8N_RUNNERS_ENABLED: 'false', N8N_PERSONALIZATION_ENABLED: 'false' },
  };
  const n8n = join(dir, 'node_modules', 'n8n', 'bin', 'n8n');
  const call = (...args: string[]) =>
    done(spawnSync(process.execPath, [n8n, ...args], { cwd: dir, env, encoding: 'utf8' }));
  const workflowFile = join(dir, 'workflow.json');
  writeFileSync(workflowFile, JSON.stringify(workflowOf(api.url)));
  call('import:workflow', `--input=${workflowFile}`);
  call(
    ...(Number(version.split('.')[0]) >= 2
      ? ['publish:workflow', '--id=mayflyTry']
      : ['update:workflow', '--id=mayflyTry', '--active=true']),
  );
  const log = openSync(join(dir, 'n8n.log'), 'w');
  const server = spawn(process.execPath, [n8n, 'start'], { cwd: dir, env, stdio: ['ignore', log, log] });
  try {
    const url = `http://127.0.0.1:${port}`;
    const hook = () =>
      fetch(`${url}/webhook/mayfly-try`).then(async (answer) => ({
        status: answer.status,
        body: await answer.text(),
      }));
    const isUp = () =>
      fetch(`${url}/healthz/readiness`).then(
        ({ ok }) => ok,
        () => false,
      );
    await eventually(isUp, 'n8n', 180_000);
    await eventually(
      () =>
        hook().then(
          ({ status }) => status !== 404,
          () => false,
        ),
      'webhook',
      60_000,
    );
    const before = api.calls.length;
    const answers = await Promise.all([hook(), hook()]);
    for (const { status, body } of answers) console.log(`n8n answered ${status} ${body.slice(0, 300)}`);
    const calls = api.calls.slice(before);
    const executions = new Set(calls.map(({ execution }) => execution));
    console.log(
      `${calls.length} calls of ${executions.size} executions, each active while it ran: ${calls.every(({ active }) => active === true)}`,
    );
    await eventually(
      async () =>
        (await Promise.all(calls.map(({ token }) => api.isActive(token)))).every((one) => one === false),
      'end of both',
    );
    console.log('both identities are dead now that their executions are over');
    if (calls.length !== 2 || executions.size !== 2) process.exitCode = 1;
  } catch (error) {
    console.log(readFileSync(join(dir, 'n8n.log'), 'utf8').slice(-3000));
    throw error;
  } finally {
    server.kill('SIGTERM');
  }
}

function install(dir: string, version: string): void {
  mkdirSync(dir, { recursive: true });
  if (existsSync(join(dir, 'node_modules', 'n8n'))) return;
  const started = Date.now();
  writeFileSync(join(dir, 'package.json'), '{ "private": true }');
  const quiet = ['--no-audit', '--no-fund', '--omit=dev', '--omit=optional', '--loglevel=error'];
  const options = { cwd: dir, encoding: 'utf8' } as const;
  done(spawnSync('npm', ['install', `n8n@${version}`, '--ignore-scripts', ...quiet], options));
  // The one package that n8n does not start without and that is made on the machine.
  done(spawnSync('npm', ['rebuild', 'sqlite3'], options));
  console.log(`n8n ${version} installed in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

function done({ status, stdout, stderr, error }: ReturnType<typeof spawnSync>): void {
  if (status !== 0) throw new Error(`${error?.message ?? ''}${stdout}${stderr}`.slice(-3000));
}

function workflowOf(url: string): object {
  const trigger = { path: 'mayfly-try', responseMode: 'lastNode', httpMethod: 'GET', options: {} };
  const at = (x: number) => ({ typeVersion: 1, position: [x, 0] });
  return {
    id: 'mayflyTry',
    name: 'Mayfly try',
    active: false,
    nodes: [
      {
        id: 'a',
        name: 'Webhook',
        type: 'n8n-nodes-base.webhook',
        webhookId: 'mayfly-try',
        parameters: trigger,
        ...at(0),
      },
      {
        id: 'b',
        name: 'Mayfly',
        type: 'CUSTOM.mayfly',
        parameters: { audience: API, method: 'GET', url },
        ...at(200),
      },
    ],
    connections: { Webhook: { main: [[{ node: 'Mayfly', type: 'main', index: 0 }]] } },
    settings: { executionOrder: 'v1' },
  };
}
