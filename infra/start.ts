import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import type { Policy } from '@mayfly/contracts/policy';
import { parsePolicy } from '@mayfly/service-kit/policy';
import { demonstrate } from './demonstrate.ts';
import { type Processes, processes } from './processes.ts';
import { findServers } from './servers.ts';
import { type System, startSystem } from './system.ts';

const USAGE = `usage: npm start [-- --once] [--dir FOLDER]

Starts NATS, Redis and the four services on this machine, runs one build through them, and stays up until Ctrl-C.

  --once         end after the build: exit code 0, or 1 if any step failed
  --dir FOLDER   keep everything in FOLDER; .mayfly if left out
  --help         print this

MAYFLY_CONFIG names the policy; mayfly.yaml if unset. What it makes it keeps in .mayfly/ (secrets, keys, builds, ports,
logs); remove that folder to begin anew. Each folder is a Mayfly of its own, with keys and ports of its own.`;

const root = fileURLToPath(new URL('..', import.meta.url));
const policyFile = resolve(root, process.env['MAYFLY_CONFIG'] ?? 'mayfly.yaml');
const say = (line: string) => console.log(line);

/** Who the build is for: a source, a relying party, and an audience that both have. */
type Shown = { source: string; party: string; audience: string };

await main();

async function main(): Promise<void> {
  const options = readOptions();
  if (!options) return;
  if (options.help) return say(USAGE);
  const dir = resolve(root, options.dir);
  const stopping = new AbortController();
  const stop = heedSignals(stopping);
  const supervised = processes(dir, say);
  try {
    await supervised.endLeftovers();
    await runAll(dir, supervised, options.once, stopping.signal);
    if (!options.once) await stop;
  } catch (error) {
    if (!stopping.signal.aborted) {
      console.error(`npm start: ${(error as Error).message}`);
      process.exitCode = 1;
    } else if (options.once) process.exitCode = 128 + constants.signals[await stop];
  }
  if (await supervised.stopAll()) say('stopped; no process is left');
}

/** Gives the first signal that asks for an end. Those that follow change nothing: the end takes seconds. */
function heedSignals(stopping: AbortController): Promise<NodeJS.Signals> {
  return new Promise((settle) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        settle(signal);
        stopping.abort();
      });
    }
  });
}

function readOptions(): { once: boolean; help: boolean; dir: string } | undefined {
  try {
    const { values } = parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        dir: { type: 'string', default: '.mayfly' },
      },
    });
    return values;
  } catch (error) {
    console.error(`npm start: ${(error as Error).message}\n\n${USAGE}`);
    process.exitCode = 2;
    return undefined;
  }
}

/** Throws the signal's reason, and starts nothing more, once it is aborted. */
async function runAll(dir: string, supervised: Processes, once: boolean, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  const shown = findShown(parsePolicy(readFileSync(policyFile, 'utf8'), policyFile));
  const servers = await findServers({ cache: join(root, '.cache', 'servers'), say, signal });
  say(
    `nats-server ${servers.nats.version} (${servers.nats.from}), redis-server ${servers.redis.version} (${servers.redis.from})`,
  );
  const system = await startSystem({ root, dir, policyFile, servers, processes: supervised, say, signal });
  say(`two servers and four services are up after ${((performance.now() - started) / 1000).toFixed(1)} s`);
  const { source, party, audience } = shown;
  say(`one build of "${source}", for ${audience}:`);
  const secret = system.deployment.secret(`relying-party-${party}`);
  const { baseUrl } = system;
  const relyingParty = { name: party, secret };
  const ci = system.ciCredentials(source);
  await demonstrate({ source, baseUrl, audience, ci, relyingParty }, say, signal);
  if (!once) tellWhatIsThere(system, shown);
}

/** Before anything is started: without a relying party that may ask about a source's tokens no build can be shown. */
function findShown({ sources, relying_parties = {} }: Policy): Shown {
  for (const [source, { audiences }] of Object.entries(sources)) {
    for (const [party, { audiences: asked }] of Object.entries(relying_parties)) {
      const audience = audiences.find((one) => asked.includes(one));
      if (audience) return { source, party, audience };
    }
  }
  throw new Error(
    `${basename(policyFile)} has no relying party with an audience of one of its sources: no build can be shown`,
  );
}

function tellWhatIsThere({ baseUrl, requestUrl, ports, deployment }: System, { source, party }: Shown): void {
  const issuer = issuerUrl(baseUrl, source);
  say(`
issuer         ${issuer}
key set        ${issuer}/jwks
introspection  ${issuer}/introspect
token requests ${requestUrl}/token
CI events      http://127.0.0.1:${ports['build-lifecycle']}/events, as ${source} with the password in ${deployment.secretFile(`source-${source}`)}
NATS           nats://127.0.0.1:${ports['nats']}, as ci-${source} with the password in ${deployment.secretFile(`nats-ci-${source}`)}
Redis          127.0.0.1:${ports['redis']}
operators      NATS_URL=nats://127.0.0.1:${ports['nats']} NATS_PASSWORD_FILE=${deployment.secretFile('nats-operator')} npx mayfly keys list

Try:
  curl -s ${issuer}/.well-known/openid-configuration
  curl -s -u "${party}:$(cat ${deployment.secretFile(`relying-party-${party}`)})" -d token=any ${issuer}/introspect

Ctrl-C ends everything.`);
}
