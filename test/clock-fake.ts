import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fetchPackages, findUnpacked, type Packages } from '@mayfly/infra/debian';
import { type Run, runner } from '@mayfly/infra/server';
import { findServers } from '@mayfly/infra/servers';
import { SERVICES, type ServiceName } from '@mayfly/infra/service-environment';

/** Clocks that a test sets: of each service, and of Redis. (NATS cannot be told another time: Go asks the kernel itself.) */
export type Clocks = Disposable & {
  /** Settings under which each service believes its clock. */
  environment: Partial<Record<ServiceName, Record<string, string>>>;
  /** Puts a clock off by as many seconds; who has it believes it within a second. */
  set(who: readonly Clock[], seconds: number): void;
};
export type Clock = ServiceName | 'redis';

export const CLOCKS: readonly Clock[] = [...SERVICES, 'redis'];

const CACHE = fileURLToPath(new URL('../.cache/servers', import.meta.url));
const TRIPLET = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
const PACKAGES: Packages = {
  folder: 'faketime',
  names: ['libfaketime'],
  binary: `usr/lib/${TRIPLET}/faketime/libfaketimeMT.so.1`,
};

/** Finds libfaketime, fetched from Debian like the servers; undefined where it cannot be had. */
export async function findFakeTime(): Promise<string | undefined> {
  const there = await findUnpacked(PACKAGES, CACHE);
  if (there) return there.file;
  // A library says no version.
  const real = runner(process.env);
  const run: Run = (file, args, options) =>
    args[0] === '--version' ? Promise.resolve('') : real(file, args, options);
  await fetchPackages(PACKAGES, CACHE, run).catch(() => undefined);
  return (await findUnpacked(PACKAGES, CACHE))?.file;
}

/** Makes a clock of its own for each service and for the Redis that the next system starts. */
export async function fakeClocks(library: string): Promise<Clocks> {
  const dir = mkdtempSync(join(tmpdir(), 'mayfly-clocks-'));
  const fileOf = (who: Clock) => join(dir, who);
  const set: Clocks['set'] = (who, seconds) => {
    for (const one of who) writeFileSync(fileOf(one), `${seconds < 0 ? '' : '+'}${seconds}\n`);
  };
  set(CLOCKS, 0);
  const settings = (who: Clock) => ({
    LD_PRELOAD: library,
    FAKETIME_TIMESTAMP_FILE: fileOf(who),
    FAKETIME_CACHE_DURATION: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  const before = process.env['MAYFLY_REDIS_SERVER'];
  process.env['MAYFLY_REDIS_SERVER'] = await wrapRedis(join(dir, 'redis-server'), settings('redis'));
  return {
    environment: Object.fromEntries(SERVICES.map((name) => [name, settings(name)])),
    set,
    [Symbol.dispose]() {
      if (before === undefined) delete process.env['MAYFLY_REDIS_SERVER'];
      else process.env['MAYFLY_REDIS_SERVER'] = before;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Writes a program that is Redis under other settings, and tries it. */
async function wrapRedis(file: string, settings: Record<string, string>): Promise<string> {
  const { redis } = await findServers({ cache: CACHE, say: () => undefined });
  const { file: binary, env = {} } = redis.command('', '', []);
  // Its own allocator asks for the time before libfaketime can tell it: that of libc goes first.
  const preload = { LD_PRELOAD: `${settings['LD_PRELOAD']} libc.so.6` };
  const lines = Object.entries({ ...env, ...settings, ...preload }).map(
    ([name, value]) => `export ${name}='${value}'\n`,
  );
  writeFileSync(file, `#!/bin/sh\n${lines.join('')}exec '${binary}' "$@"\n`);
  chmodSync(file, 0o700);
  await runner(process.env)(file, ['--version'], { timeout: 5000 });
  return file;
}
