import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from './ci.ts';
import { startApi, type TestApi } from './n8n-api.ts';
import { done, install, workflowOf } from './n8n-install.ts';
import { type TestSystem, testSystem } from './system.ts';

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
  const policy = `sources: { n8n: { profile: n8n, audiences: [${API}] } }\nrelying_parties: { api: { audiences: [${API}] } }\n`;
  await using system = await testSystem({ policy });
  await using api = await startApi(system, API);
  const port = 20_000 + (process.pid % 20_000);
  const env = environment(dir, port, system);
  const n8n = join(dir, 'node_modules', 'n8n', 'bin', 'n8n');
  const options = { cwd: dir, env, encoding: 'utf8' } as const;
  const call = (...args: string[]) => done(spawnSync(process.execPath, [n8n, ...args], options));
  const workflowFile = join(dir, 'workflow.json');
  writeFileSync(workflowFile, JSON.stringify(workflowOf(api.url, API)));
  call('import:workflow', `--input=${workflowFile}`);
  const isOld = version.startsWith('1.');
  call(...(isOld ? ['update:workflow', '--active=true'] : ['publish:workflow']), '--id=mayflyTry');
  const log = openSync(join(dir, 'n8n.log'), 'w');
  const server = spawn(process.execPath, [n8n, 'start'], { cwd: dir, env, stdio: ['ignore', log, log] });
  try {
    await callTwiceAtOnce(`http://127.0.0.1:${port}`, api);
  } catch (error) {
    console.log(readFileSync(join(dir, 'n8n.log'), 'utf8').slice(-3000));
    throw error;
  } finally {
    server.kill('SIGTERM');
  }
}

function environment(dir: string, port: number, system: TestSystem): NodeJS.ProcessEnv {
  const secretFile = join(dir, 'source-secret');
  writeFileSync(secretFile, system.secret('source-n8n'), { mode: 0o600 });
  const off = ['DIAGNOSTICS', 'VERSION_NOTIFICATIONS', 'TEMPLATES', 'RUNNERS', 'PERSONALIZATION'];
  return {
    ...Object.fromEntries(off.map((name) => [`N8N_${name}_ENABLED`, 'false'])),
    PATH: process.env['PATH'],
    HOME: dir,
    N8N_USER_FOLDER: mkdtempSync(join(dir, 'user-')),
    N8N_PORT: String(port),
    EXTERNAL_HOOK_FILES: join(N8N, 'hooks.cjs'),
    N8N_CUSTOM_EXTENSIONS: join(N8N, 'nodes'),
    MAYFLY_EVENTS_URL: system.urlOf('build-lifecycle'),
    MAYFLY_ISSUER_URL: system.urlOf('issuer'),
    MAYFLY_SOURCE: 'n8n',
    MAYFLY_SOURCE_SECRET_FILE: secretFile,
  };
}

async function callTwiceAtOnce(url: string, api: TestApi): Promise<void> {
  const hook = async () => {
    const answer = await fetch(`${url}/webhook/mayfly-try`);
    return { status: answer.status, body: await answer.text() };
  };
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
  const executions = new Set(calls.map(({ execution }) => execution)).size;
  const wereActive = calls.every(({ active }) => active === true);
  console.log(`${calls.length} calls of ${executions} executions, each active while it ran: ${wereActive}`);
  const areDead = async () =>
    (await Promise.all(calls.map(({ token }) => api.isActive(token)))).every((one) => one === false);
  await eventually(areDead, 'end of both');
  console.log('both identities are dead now that their executions are over');
  if (calls.length !== 2 || executions !== 2 || !wereActive) throw new Error('that is not what was promised');
}
