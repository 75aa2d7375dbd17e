import { randomBytes } from 'node:crypto';
import { type Command, type Kind, type Run, readVersion, type Server } from './server.ts';

const ANSWER_MILLISECONDS = 10_000;

/** How an image is called: NATS's entry point is the server, Redis's takes the server's name. */
const IMAGES = {
  'nats-server': { image: 'nats:2.10', program: [], listen: ['-a', '0.0.0.0'] },
  'redis-server': {
    image: 'redis:8.0',
    program: ['redis-server'],
    listen: ['--bind', '0.0.0.0', '--protected-mode', 'no'],
  },
};

/** Gives the server of `kind` as a container in the foreground, or undefined when there is no Docker or no image. */
export async function dockerServer(
  kind: Kind,
  run: Run,
  say: (line: string) => void,
): Promise<Server | undefined> {
  const { image, program } = IMAGES[kind.name];
  const info = ['info', '--format', '{{.ServerVersion}}'];
  const engine = await run('docker', info, { timeout: ANSWER_MILLISECONDS }).catch(() => '');
  if (engine.trim() === '') return undefined;

  const isPresent = await run('docker', ['image', 'inspect', image]).then(Boolean, () => false);
  if (!isPresent && !(await pull(image, run, say))) return undefined;

  const version = await readVersion(run, { file: 'docker', args: ['run', '--rm', image, ...program] });
  if (version === undefined) {
    say(`passing over Docker: its ${image} does not run`);
    return undefined;
  }
  return {
    version,
    from: 'Docker',
    command: (config, dir, ports) => container(kind, config, dir, ports),
  };
}

async function pull(image: string, run: Run, say: (line: string) => void): Promise<boolean> {
  say(`pulling ${image} …`);
  try {
    await run('docker', ['pull', '-q', image]);
    return true;
  } catch (error) {
    say(`passing over Docker: no ${image}: ${(error as Error).message}`);
    return false;
  }
}

function container(kind: Kind, config: string, dir: string, ports: number[]): Command {
  const { image, program, listen } = IMAGES[kind.name];
  const name = `mayfly-${kind.name}-${randomBytes(4).toString('hex')}`;
  const user = process.getuid ? ['--user', `${process.getuid()}:${process.getgid?.()}`] : [];
  // Only on Linux does a container on the host's network have the host's 127.0.0.1, which the config names.
  const isLinux = process.platform === 'linux';
  const network = isLinux
    ? ['--network', 'host']
    : ports.flatMap((port) => ['-p', `127.0.0.1:${port}:${port}`]);
  const options = ['--rm', '--init', '--name', name, ...user, ...network, '-v', `${dir}:${dir}`];
  const args = [...program, ...kind.configArgs(config), ...(isLinux ? [] : listen)];
  return {
    file: 'docker',
    args: ['run', ...options, image, ...args],
    stop: { file: 'docker', args: ['rm', '-f', name] },
  };
}
