import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import {
  fetchPackages,
  findUnpacked,
  natsPackages,
  type Packages,
  redisPackages,
  removeUnpacked,
} from './debian.ts';
import { dockerServer } from './docker-server.ts';
import {
  binaryServer,
  isOlder,
  type Kind,
  NATS,
  REDIS,
  type Run,
  readVersion,
  runner,
  type Server,
} from './server.ts';

/** The two servers that Mayfly runs on. */
export type Servers = { nats: Server; redis: Server };

/** Where to look: the folder for what is fetched, the search path, who is told of what takes long, and until when. */
export type Search = { cache: string; say: (line: string) => void; path?: string; signal?: AbortSignal };

type Finder = Required<Omit<Search, 'signal'>> & { run: Run };

/**
 * Finds nats-server and redis-server: the binaries that MAYFLY_NATS_SERVER and MAYFLY_REDIS_SERVER name, on PATH, in
 * the cache, from Debian's packages, in Docker; throws one error that says what to install when there are none, and the
 * signal's reason once it is aborted.
 */
export async function findServers(search: Search): Promise<Servers> {
  const finder = withDefaults(search);
  const [nats, redis] = await Promise.all([
    findServer(NATS, natsPackages('trixie'), finder),
    findServer(REDIS, redisPackages, finder),
  ]);
  search.signal?.throwIfAborted();
  if (nats && redis) return { nats, redis };

  const missing = [...(nats ? [] : [NATS]), ...(redis ? [] : [REDIS])];
  throw new Error(adviseOn(missing));
}

/** Gives the nats-server of a Debian suite from the cache, fetching it when it is not there; throws when apt cannot. */
export async function fetchNats(
  suite: 'trixie' | 'forky',
  cache: string,
  say: (line: string) => void,
): Promise<Server> {
  const finder = withDefaults({ cache, say });
  const packages = natsPackages(suite);
  return (await fromCache(NATS, packages, finder)) ?? (await fetch(NATS, packages, finder));
}

function adviseOn(missing: Kind[]): string {
  const wanted = missing.map(({ name, minimum }) => `${name} ${minimum} or newer`).join(' and ');
  const overrides = missing.map(({ override }) => override).join(' and ');
  return (
    `Mayfly needs ${wanted}. One of these will do: install what is missing on PATH, or name its file in ` +
    `${overrides}; use Debian, with apt and a mirror that it reaches; start Docker.`
  );
}

function withDefaults({ cache, say, path, signal }: Search): Finder {
  const places = path ?? [process.env.PATH ?? '', '/usr/local/sbin', '/usr/sbin'].join(delimiter);
  // What fails because it was told to end says nothing about a server.
  const sayOn = (line: string) => signal?.aborted || say(line);
  const run = runner({ ...process.env, PATH: places, LC_ALL: 'C' }, signal);
  return { cache, say: sayOn, path: places, run };
}

async function findServer(kind: Kind, packages: Packages, finder: Finder): Promise<Server | undefined> {
  return (
    (await fromOverride(kind, finder)) ??
    (await fromPath(kind, finder)) ??
    (await fromCache(kind, packages, finder)) ??
    (await fromDebian(kind, packages, finder)) ??
    (await dockerServer(kind, finder.run, finder.say))
  );
}

/** A binary that someone named is used or refused, never passed over. */
async function fromOverride(kind: Kind, { run }: Finder): Promise<Server | undefined> {
  const file = process.env[kind.override];
  if (!file) return undefined;
  const version = await readVersion(run, { file });
  if (version === undefined) throw new Error(`${kind.override} names ${file}, which does not run`);
  if (isOlder(version, kind.minimum))
    throw new Error(`${kind.override} names ${tooOld(kind, version, file)}`);
  return binaryServer(kind, kind.override, version, { file });
}

async function fromPath(kind: Kind, { path, run, say }: Finder): Promise<Server | undefined> {
  for (const folder of new Set(path.split(delimiter).filter(Boolean))) {
    const file = join(folder, kind.name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (!isThere) continue;

    const version = await readVersion(run, { file });
    if (version === undefined) say(`passing over ${file}: it does not run`);
    else if (isOlder(version, kind.minimum)) say(`passing over ${tooOld(kind, version, file)}`);
    else return binaryServer(kind, 'PATH', version, { file });
  }
  return undefined;
}

function tooOld({ name, minimum, reason }: Kind, version: string, file: string): string {
  return `${name} ${version} (${file}): Mayfly needs ${minimum} or newer, for ${reason}`;
}

async function fromCache(
  kind: Kind,
  packages: Packages,
  { cache, run, say }: Finder,
): Promise<Server | undefined> {
  const unpacked = await findUnpacked(packages, cache);
  if (unpacked === undefined) return undefined;
  const version = await readVersion(run, unpacked);
  if (version !== undefined && !isOlder(version, kind.minimum)) {
    return binaryServer(kind, 'cache', version, unpacked);
  }
  say(
    `removing ${version ? tooOld(kind, version, 'cached') : `the cached ${kind.name}: it does not run here`}`,
  );
  await removeUnpacked(packages, cache);
  return undefined;
}

async function fromDebian(kind: Kind, packages: Packages, finder: Finder): Promise<Server | undefined> {
  const hasApt = await finder.run('apt-get', ['--version']).then(
    () => true,
    () => false,
  );
  if (!hasApt) return undefined;
  try {
    return await fetch(kind, packages, finder);
  } catch (error) {
    finder.say(`apt gives no ${kind.name} (is there a network?): ${(error as Error).message}`);
    return undefined;
  }
}

async function fetch(kind: Kind, packages: Packages, { cache, run, say }: Finder): Promise<Server> {
  const started = Date.now();
  say(`fetching ${kind.name} from Debian's packages …`);
  await fetchPackages(packages, cache, run);
  const server = await fromCache(kind, packages, { cache, run, say, path: '' });
  if (server === undefined) throw new Error('what was fetched does not do');
  say(`fetched ${kind.name} ${server.version} in ${((Date.now() - started) / 1000).toFixed(1)} s`);
  return { ...server, from: 'Debian packages' };
}
