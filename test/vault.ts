import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from '@mayfly/infra/processes';
import { eventually } from './ci.ts';
import { startVaultStandIn } from './vault-stand-in.ts';

/** A Vault for tests: `bao` or `vault` where one is found, else its image, else the stand-in. */
export type TestVault = AsyncDisposable & {
  kind: string;
  url: string;
  /** Asks as root; gives status and body. */
  asRoot(method: string, path: string, body?: object, namespace?: string): Promise<Asked>;
  /** Accessors of the tokens that live, without root's own. */
  tokens(): Promise<string[]>;
};

type Asked = { status: number; body: { data?: Record<string, unknown>; errors?: string[] } };
type Server = AsyncDisposable & { kind: string; url: string; rootToken: string };

/** Starts the nearest thing to a real Vault that this machine has, and says which it is. */
export async function startVault(): Promise<TestVault> {
  const server = (await startBinary()) ?? (await startImage()) ?? (await standIn());
  console.log(`Vault in this test: ${server.kind}`);
  const asRoot: TestVault['asRoot'] = async (method, path, body, namespace) => {
    const response = await fetch(`${server.url}/v1/${path}`, {
      method,
      headers: {
        'x-vault-token': server.rootToken,
        ...(namespace ? { 'x-vault-namespace': namespace } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    return { status: response.status, body: text ? (JSON.parse(text) as Asked['body']) : {} };
  };
  const before = new Set(await accessors(asRoot));
  return {
    ...{ kind: server.kind, url: server.url, asRoot },
    tokens: async () => (await accessors(asRoot)).filter((accessor) => !before.has(accessor)),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function accessors(asRoot: TestVault['asRoot']): Promise<string[]> {
  const { body } = await asRoot('GET', 'auth/token/accessors?list=true');
  return (body.data?.['keys'] ?? []) as string[];
}

async function standIn(): Promise<Server> {
  const server = await startVaultStandIn();
  const kind = 'a stand-in, for there is no bao or vault on PATH, nor an image of one';
  return { ...server, kind, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const ROOT_TOKEN = 'root';
const dev = (port: number) => [
  'server',
  '-dev',
  `-dev-root-token-id=${ROOT_TOKEN}`,
  `-dev-listen-address=127.0.0.1:${port}`,
];

async function startBinary(): Promise<Server | undefined> {
  const name = ['bao', 'vault'].find((one) => succeeds(one, ['version']));
  if (name === undefined) return undefined;
  return await startServer(name, name, dev, (child) => child.kill('SIGTERM'));
}

async function startImage(): Promise<Server | undefined> {
  const images = ['openbao/openbao', 'quay.io/openbao/openbao', 'hashicorp/vault'];
  const image = images.find((one) => succeeds('docker', ['image', 'inspect', one]));
  if (!image) return undefined;
  const container = `mayfly-test-vault-${process.pid}`;
  const args = (port: number) => [
    'run',
    '--rm',
    '--name',
    container,
    '--network',
    'host',
    image,
    ...dev(port),
  ];
  return await startServer(`image ${image}`, 'docker', args, () =>
    succeeds('docker', ['rm', '-f', container]),
  );
}

type Stop = (child: ReturnType<typeof spawn>) => unknown;

async function startServer(
  kind: string,
  file: string,
  argsOf: (port: number) => string[],
  stop: Stop,
): Promise<Server> {
  const port = await freePort();
  const child = spawn(file, argsOf(port), { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  const isUp = () =>
    fetch(`${url}/v1/sys/health`).then(
      (response) => response.ok,
      () => false,
    );
  await eventually(isUp, `${kind} at ${url}`, 30_000);
  return {
    ...{ kind, url, rootToken: ROOT_TOKEN },
    async [Symbol.asyncDispose]() {
      stop(child);
      await exited;
    },
  };
}

function succeeds(file: string, args: string[]): boolean {
  try {
    execFileSync(file, args, { stdio: 'ignore', timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}
