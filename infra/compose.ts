import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ownProfiles, parsePolicy } from '@mayfly/service-kit/policy';
import { bootstrap } from './bootstrap.ts';
import { configDigest } from './config-digest.ts';
import {
  CONTAINER_PLACES,
  containerEnvironment,
  containerUser,
  giveToContainers,
} from './container-places.ts';
import { copyProfiles } from './copy-profiles.ts';
import { makeDeployment } from './deployment.ts';
import { buildImages } from './images.ts';
import { keepPorts } from './ports.ts';
import { SERVICES } from './service-environment.ts';

const USAGE = `usage: npm run compose -- up [-d] [--scale SERVICE=N] …
       npm run compose -- COMMAND …    any other command of docker compose: ps, logs, stop, down -v

Brings up infra/compose.yaml. MAYFLY_CONFIG names the policy, mayfly.yaml if unset; MAYFLY_COMPOSE_DIR the folder for
secrets, configuration and data, .mayfly-compose if unset.`;

const root = fileURLToPath(new URL('..', import.meta.url));
const composeFile = join(root, 'infra', 'compose.yaml');

await main(process.argv.slice(2));

async function main([command, ...rest]: string[]): Promise<void> {
  if (command === undefined || command === '--help') return console.log(USAGE);
  const compose = findCompose();
  if (!compose) {
    console.error('npm run compose: neither `docker compose` nor `docker-compose` is here');
    process.exitCode = 1;
    return;
  }
  const prepared = await prepare();
  const run = (args: string[]) => runCompose(compose, args, prepared.variables);
  if (command === 'up') {
    await buildImages((line) => console.log(line));
    process.exitCode = await run(['up', '-d', 'nats', 'redis']);
    if (process.exitCode !== 0) return;
    await prepared.makeStreams();
    console.log(`issuers         ${prepared.baseUrl}/<source>\ntoken requests  ${prepared.requestUrl}/token`);
    console.log(`CI events       ${prepared.eventsUrl}\nNATS            ${prepared.natsUrl}`);
  }
  process.exitCode = await run([command, ...rest]);
}

function findCompose(): string[] | undefined {
  const works = ([file = '', ...args]: string[]) => spawnSync(file, [...args, 'version']).status === 0;
  return [['docker', 'compose'], ['docker-compose']].find(works);
}

/** Makes secrets, configuration, folders and settings; gives what compose.yaml wants to know of them. */
async function prepare() {
  const dir = resolve(process.env['MAYFLY_COMPOSE_DIR'] ?? join(root, '.mayfly-compose'));
  const policyFile = process.env['MAYFLY_CONFIG'] ?? join(root, 'mayfly.yaml');
  const policy = parsePolicy(readFileSync(policyFile, 'utf8'), policyFile);
  const deployment = makeDeployment(policy, dir, CONTAINER_PLACES);
  const ports = await keepPorts(join(dir, 'ports.json'), [
    ...['nats', 'jwks-publisher', 'issuer', 'build-lifecycle'],
  ]);
  const baseUrl = policy.base_url ?? `http://localhost:${ports['jwks-publisher']}`;
  const requestUrl = policy.request_url ?? policy.base_url ?? `http://localhost:${ports['issuer']}`;
  const mounted = [
    ...fillFolder(dir, policyFile, { baseUrl, requestUrl }),
    ...copyProfiles(ownProfiles(policyFile, policy), join(dir, 'profiles')),
  ];
  giveToContainers([...deployment.files(), ...mounted]);

  const { uid, gid } = containerUser();
  const natsUrl = `nats://127.0.0.1:${ports['nats']}`;
  const password = (user: string) => deployment.secret(`nats-${user}`);
  const variables = {
    MAYFLY_DIR: dir,
    MAYFLY_DIGEST: configDigest([...deployment.files(), ...mounted]),
    MAYFLY_USER: `${uid}:${gid}`,
    MAYFLY_NATS_PORT: String(ports['nats']),
    MAYFLY_PORT: String(ports['jwks-publisher']),
    MAYFLY_REQUEST_PORT: String(ports['issuer']),
    MAYFLY_EVENTS_PORT: String(ports['build-lifecycle']),
  };
  const makeStreams = () => bootstrap(policy, { servers: [natsUrl], password });
  const eventsUrl = `http://127.0.0.1:${ports['build-lifecycle']}/events`;
  return { baseUrl, requestUrl, eventsUrl, natsUrl, variables, makeStreams };
}

/** Puts beside the deployment what else compose.yaml mounts, and gives its paths; writes the settings of each service. */
function fillFolder(
  dir: string,
  policyFile: string,
  addresses: { baseUrl: string; requestUrl: string },
): string[] {
  writeFileSync(join(dir, '.gitignore'), '*\n');
  mkdirSync(join(dir, 'env'), { recursive: true, mode: 0o700 });
  for (const service of SERVICES) {
    const settings = Object.entries(containerEnvironment(service, addresses, true));
    const lines = settings.map(([name, value]) => `${name}=${value}\n`).join('');
    writeFileSync(join(dir, 'env', `${service}.env`), lines, { mode: 0o600 });
  }
  const copies = [
    [policyFile, join(dir, 'mayfly.yaml')],
    [join(root, 'infra', 'gateway.ts'), join(dir, 'gateway.ts')],
  ] as const;
  for (const [from, to] of copies) copyFileSync(from, to);
  const data = ['nats', 'redis'].map((server) => join(dir, 'data', server));
  for (const folder of data) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return [...copies.map(([, to]) => to), ...data];
}

/** Ctrl-C reaches compose by itself, and it is for compose to say when all has stopped. */
async function runCompose(
  compose: string[],
  args: string[],
  variables: Record<string, string>,
): Promise<number> {
  const [file = '', ...first] = compose;
  const child = spawn(file, [...first, '-f', composeFile, ...args], {
    stdio: 'inherit',
    env: { ...process.env, ...variables },
  });
  process.on('SIGINT', () => undefined);
  return await new Promise((settle) => {
    child.on('error', () => settle(1));
    child.on('exit', (code) => settle(code ?? 1));
  });
}
