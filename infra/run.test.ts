import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { identify, isAlive } from './process-id.ts';

/** A folder with nothing installed, and an npm that does as the script says. */
function uninstalled(script: string) {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-run-'));
  mkdirSync(join(dir, 'infra'));
  copyFileSync(join(import.meta.dirname, 'run.mjs'), join(dir, 'infra', 'run.mjs'));
  writeFileSync(join(dir, 'package-lock.json'), '{"packages":{}}');
  writeFileSync(join(dir, 'npm'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const env = { ...process.env, PATH: `${dir}:${process.env['PATH']}`, npm_execpath: '' };
  const started = spawn(process.execPath, [join(dir, 'infra', 'run.mjs'), 'start'], { env, detached: true });
  onTestFinished(() => {
    started.kill('SIGKILL');
    rmSync(dir, { recursive: true });
  });
  let said = '';
  started.stderr.on('data', (data) => {
    said += data;
  });
  return { dir, started, said: () => said };
}

test('an installation that fails is told with all that npm printed', async () => {
  const { started, said } = uninstalled('echo first; sleep 0.1; echo "second $*" >&2; exit 7');

  expect(await once(started, 'close')).toEqual([1, null]);
  expect(said()).toMatch(
    /^installing dependencies \(npm ci --ignore-scripts\) … \d+\.\d s\nfirst\nsecond ci --ignore-scripts\nnpm ci failed\n$/,
  );
});

test('an installation that is interrupted ends with npm', async () => {
  const { dir, started, said } = uninstalled('echo $$ > "$(dirname "$0")/npm.pid"; exec sleep 60');
  const pidFile = join(dir, 'npm.pid');
  const pid = await vi.waitUntil(() => existsSync(pidFile) && Number(readFileSync(pidFile, 'utf8')), 10_000);
  const npm = identify(pid);

  started.kill('SIGTERM');

  expect(await once(started, 'close')).toEqual([143, null]);
  expect(said()).not.toContain('failed');
  expect(npm && isAlive(npm)).toBe(false);
});

test('an unknown command prints the usage and exits with 2', () => {
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, 'run.mjs'), 'nonsense'], {
    encoding: 'utf8',
    cwd: '/',
  });

  expect(status).toBe(2);
  expect(stderr).toBe(
    'usage: node infra/run.mjs start|test|test:full|test:containers|compose|pack|bench [arguments]\n',
  );
});
