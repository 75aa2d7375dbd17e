import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchPackages, findUnpacked, type Packages } from '@mayfly/infra/debian';
import { type Run, runner } from '@mayfly/infra/server';
import { eventually } from './ci.ts';

const CACHE = fileURLToPath(new URL('../.cache/servers', import.meta.url));
const PACKAGES: Record<ProxyName, Packages> = {
  nginx: { folder: 'nginx', names: ['nginx'], binary: 'usr/sbin/nginx' },
  caddy: { folder: 'caddy', names: ['caddy'], binary: 'usr/bin/caddy' },
};

export type ProxyName = 'nginx' | 'caddy';

/** Finds a proxy of Debian, fetched like the other servers; undefined where it cannot be had. */
export async function findProxy(name: ProxyName): Promise<string | undefined> {
  const packages = PACKAGES[name];
  const there = await findUnpacked(packages, CACHE);
  if (there) return there.file;
  // Neither of them knows `--version`.
  const real = runner(process.env);
  const run: Run = (file, args, options) =>
    args[0] === '--version' ? Promise.resolve('') : real(file, args, options);
  await fetchPackages(packages, CACHE, run).catch(() => undefined);
  return (await findUnpacked(packages, CACHE))?.file;
}

/** Starts a proxy with this configuration, until it is disposed of. */
export async function startProxy(
  name: ProxyName,
  binary: string,
  port: number,
  config: string,
): Promise<AsyncDisposable> {
  const dir = mkdtempSync(join(tmpdir(), `mayfly-${name}-`));
  mkdirSync(join(dir, 'logs'));
  const file = join(dir, name === 'nginx' ? 'nginx.conf' : 'Caddyfile');
  writeFileSync(file, config.replaceAll('DIR', dir));
  const args =
    name === 'nginx' ? ['-p', dir, '-c', file] : ['run', '--config', file, '--adapter', 'caddyfile'];
  const env = { ...process.env, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir };
  const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(said);
    return await fetch(`http://127.0.0.1:${port}/`).then(
      (response) => response.status > 0,
      () => false,
    );
  }, name);
  return {
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
