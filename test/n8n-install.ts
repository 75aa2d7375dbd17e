import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Installs n8n from the npm registry into `dir`, unless it is there. */
export function install(dir: string, version: string): void {
  mkdirSync(dir, { recursive: true });
  if (existsSync(join(dir, 'node_modules', 'n8n'))) return;
  const started = Date.now();
  writeFileSync(join(dir, 'package.json'), '{ "private": true }');
  const quiet = [
    '--no-audit',
    '--no-fund',
    '--omit=dev',
    '--omit=optional',
    '--legacy-peer-deps',
    '--loglevel=error',
  ];
  const options = { cwd: dir, encoding: 'utf8' } as const;
  done(spawnSync('npm', ['install', `n8n@${version}`, '--ignore-scripts', ...quiet], options));
  // The one package that n8n does not start without and that is made on the machine.
  done(spawnSync('npm', ['rebuild', 'sqlite3'], options));
  console.log(`n8n ${version} installed in ${((Date.now() - started) / 1000).toFixed(0)} s`);
}

/** Takes the result of a command; throws what it said where it failed. */
export function done({ status, stdout, stderr, error }: ReturnType<typeof spawnSync>): void {
  if (status !== 0) throw new Error(`${error?.message ?? ''}${stdout}${stderr}`.slice(-3000));
}

/** A workflow of a webhook and a node of ours, that calls the API at `url`. */
export function workflowOf(url: string, audience: string): object {
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
        parameters: { audience, method: 'GET', url },
        ...at(200),
      },
    ],
    connections: { Webhook: { main: [[{ node: 'Mayfly', type: 'main', index: 0 }]] } },
    settings: { executionOrder: 'v1' },
  };
}
