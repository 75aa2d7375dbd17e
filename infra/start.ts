import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { demonstrate } from './demonstrate.ts';
import { processes } from './processes.ts';
import { findServers } from './servers.ts';
import { type System, startSystem } from './system.ts';

const USAGE = `usage: npm start [-- --once]

Starts NATS, Redis and the four services on this machine, runs one build through them, and stays up until Ctrl-C.

  --once   end after the build: exit code 0, or 1 if any step failed
  --help   print this

What it makes it keeps in .mayfly/ (secrets, keys, builds, ports, logs); remove that folder to begin anew.`;

const root = fileURLToPath(new URL('..', import.meta.url));
const dir = join(root, '.mayfly');
const policyFile = process.env['MAYFLY_CONFIG'] ?? join(root, 'mayfly.yaml');
const say = (line: string) => console.log(line);

await main();

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return;
  if (options.help) return say(USAGE);
  const stop = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
  const supervised = processes(dir, say);
  try {
    await supervised.endLeftovers();
    await Promise.race([runAll(supervised, options.once), stop]);
    if (!options.once) await stop;
  } catch (error) {
    console.error(`npm start: ${(error as Error).message}`);
    process.exitCode = 1;
  } finally {
    await supervised.stopAll();
    say('stopped; no process is left');
  }
}

function readOptions(): { once: boolean; help: boolean } | undefined {
  try {
    const { values } = parseArgs({
      options: { once: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
    });
    return values;
  } catch (error) {
    console.error(`npm start: ${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

async function runAll(supervised: ReturnType<typeof processes>, once: boolean): Promise<void> {
  const started = performance.now();
  const servers = await findServers({ cache: join(root, '.cache', 'servers'), say });
  say(
    `nats-server ${servers.nats.version} (${servers.nats.from}), redis-server ${servers.redis.version} (${servers.redis.from})`,
  );
  const system = await startSystem({ root, dir, policyFile, servers, processes: supervised, say });
  say(`two servers and four services are up after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const [source = '', { audiences = [] } = {}] = Object.entries(system.policy.sources)[0] ?? [];
  const [name = '', party] = Object.entries(system.policy.relying_parties ?? {})[0] ?? [];
  const audience = audiences.find((one) => party?.audiences.includes(one));
  if (!audience)
    throw new Error(
      'mayfly.yaml has no relying party for an audience of its first source: no build can be shown',
    );
  say(`one build of "${source}", for ${audience}:`);
  const secret = system.deployment.secret(`relying-party-${name}`);
  const { baseUrl } = system;
  await demonstrate(
    { source, baseUrl, audience, ci: system.ciCredentials(source), relyingParty: { name, secret } },
    say,
  );
  if (!once) tellWhatIsThere(system, source, name);
}

function tellWhatIsThere(
  { baseUrl, requestUrl, ports, deployment }: System,
  source: string,
  party: string,
): void {
  const issuer = issuerUrl(baseUrl, source);
  say(`
issuer         ${issuer}
key set        ${issuer}/jwks
introspection  ${issuer}/introspect
token requests ${requestUrl}/token
NATS           nats://127.0.0.1:${ports['nats']}, as ci-${source} with the password in .mayfly/secrets/nats-ci-${source}
Redis          127.0.0.1:${ports['redis']}

Try:
  curl -s ${issuer}/.well-known/openid-configuration
  curl -s -u "${party}:$(cat ${deployment.secretFile(`relying-party-${party}`)})" -d token=any ${issuer}/introspect

Ctrl-C ends everything.`);
}
