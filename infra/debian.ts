import { access, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Run } from './server.ts';

/** Packages that unpack to one server: from `suite`, or from the suites that this machine is set up for. */
export type Packages = { folder: string; names: string[]; binary: string; suite?: 'trixie' | 'forky' };

/** A binary in the cache and the libraries that came with it. */
export type Unpacked = { file: string; env?: Record<string, string> };

/** The packages of nats-server: newer than the machine's own, since they need nothing but an old libc. */
export const natsPackages = (suite: 'trixie' | 'forky'): Packages => ({
  folder: `nats-${suite}`,
  names: ['nats-server'],
  binary: 'usr/sbin/nats-server',
  suite,
});

/** The packages of redis-server: the machine's own, since newer ones need newer libraries. */
export const redisPackages: Packages = {
  folder: 'redis',
  names: ['redis-server', 'redis-tools'],
  binary: 'usr/bin/redis-server',
};

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const STALE_MILLISECONDS = 3_600_000;

/**
 * Downloads and unpacks Debian packages into the cache, without root and without a change to the machine; throws when
 * apt cannot. They appear under their name in one step, so that no other process sees half of them.
 */
export async function fetchPackages(packages: Packages, cache: string, run: Run): Promise<void> {
  await mkdir(cache, { recursive: true });
  await removeStale(cache);
  const work = await mkdtemp(join(resolve(cache), '.partial-'));
  try {
    await download(packages, work, run);
    const root = join(work, 'root');
    for (const name of await readdir(join(work, 'archives'))) {
      if (name.endsWith('.deb')) await run('dpkg-deb', ['-x', join(work, 'archives', name), root]);
    }
    const { file, env } = await inRoot(packages, root);
    await run(file, ['--version'], env ? { env } : {});
    await putInPlace(root, join(cache, packages.folder), packages);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Gives the binary of `packages` in the cache, or undefined when it is not there. */
export async function findUnpacked(packages: Packages, cache: string): Promise<Unpacked | undefined> {
  return inRoot(packages, join(resolve(cache), packages.folder)).catch(() => undefined);
}

/** Removes `packages` from the cache, as for one that came from another kind of machine. */
export async function removeUnpacked(packages: Packages, cache: string): Promise<void> {
  await rm(join(cache, packages.folder), { recursive: true, force: true });
}

async function inRoot({ binary }: Packages, root: string): Promise<Unpacked> {
  const file = join(root, binary);
  await access(file);
  const folders = await readdir(join(root, 'usr', 'lib')).catch(() => []);
  const libraries = folders.filter((name) => name.includes('-linux-gnu'));
  if (libraries.length === 0) return { file };
  return {
    file,
    env: { LD_LIBRARY_PATH: libraries.map((name) => join(root, 'usr', 'lib', name)).join(':') },
  };
}

async function download({ names, suite }: Packages, work: string, run: Run): Promise<void> {
  const archives = join(work, 'archives');
  await mkdir(join(work, 'lists', 'partial'), { recursive: true });
  await mkdir(join(archives, 'partial'), { recursive: true });
  const config = join(work, 'apt.conf');
  const apt = (...args: string[]) => run('apt-get', ['-c', config, '-qq', ...args], { cwd: archives });

  await writeFile(config, aptConfig(work));
  if (suite === undefined) {
    await apt('update');
    await apt('-y', 'install', '--download-only', '--no-install-recommends', '--reinstall', ...names);
    return;
  }
  const mirror = await findMirror(run, apt);
  await writeFile(join(work, 'suite.list'), `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`);
  await writeFile(config, aptConfig(work) + suiteConfig(work, suite));
  await apt('update');
  await apt('download', ...names);
}

/** Settings that keep apt within `work`: its own state, no locks, no other user, none of the machine's hooks. */
function aptConfig(work: string): string {
  return [
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    `Dir::State "${work}";`,
    `Dir::State::lists "${work}/lists";`,
    `Dir::Cache "${work}";`,
    `Dir::Cache::archives "${work}/archives";`,
    `Dir::Log "${work}";`,
    'Dir::State::status "/var/lib/dpkg/status";',
    'Debug::NoLocking "true";',
    'APT::Sandbox::User "";',
    'Acquire::Languages "none";',
    'Acquire::Retries "1";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    '',
  ].join('\n');
}

/** Forky's Release file may be past its date: the suite is not frozen, and a mirror may lag behind. */
function suiteConfig(work: string, suite: string): string {
  return [
    `Dir::Etc::SourceList "${work}/suite.list";`,
    'Dir::Etc::SourceParts "-";',
    'Dir::State::status "/dev/null";',
    'APT::Update::Error-Mode "any";',
    ...(suite === 'forky' ? ['Acquire::Check-Valid-Until "false";'] : []),
    '',
  ].join('\n');
}

/** Gives the address of the Debian mirror that this machine uses, from its own lists or, without any, from fresh ones. */
async function findMirror(run: Run, apt: (...args: string[]) => Promise<string>): Promise<string> {
  const query = ['indextargets', '--format', '$(LABEL) $(REPO_URI)', 'Created-By: Packages'];
  const pick = (targets: string) => /^Debian (\S+)$/m.exec(targets)?.[1];
  const known = pick(await run('apt-get', query));
  if (known !== undefined) return known;

  await apt('update');
  const fetched = pick(await apt(...query));
  if (fetched === undefined) throw new Error('apt is not set up for a Debian mirror');
  return fetched;
}

/** Renames `root` to `target`; a process that was there first has put the same there. */
async function putInPlace(root: string, target: string, packages: Packages): Promise<void> {
  await rename(root, target).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    if ((await findUnpacked(packages, dirname(target))) === undefined) throw error;
  });
}

/** Removes what fetches that were killed have left. */
async function removeStale(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    if (!name.startsWith('.partial-')) continue;
    const folder = join(cache, name);
    const started = await stat(folder).then(
      (found) => found.mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - started > STALE_MILLISECONDS) await rm(folder, { recursive: true, force: true });
  }
}
