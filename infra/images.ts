import { createHash } from 'node:crypto';
import { chmodSync, cpSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.ts';
import { type Run, runner } from './server.ts';
import { SERVICES, type ServiceName } from './service-environment.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dockerfile = join(root, 'infra', 'Dockerfile');
const BASE = 'node:24-trixie-slim';
/** An image's label that says what it was made from. */
const INPUTS = 'dev.mayfly.inputs';

/** Gives the name of a service's image. */
export const imageOf = (service: ServiceName) => `mayfly/${service}:dev`;

/** Builds the images of the four services, except those that were made from the very files that are here now. */
export async function buildImages(say: (line: string) => void): Promise<void> {
  const docker = dockerWith(runner(process.env));
  await docker.ensureBase(say);
  const inputs = digestOfInputs(await docker.idOf(BASE));
  const stale: ServiceName[] = [];
  for (const service of SERVICES) {
    if ((await docker.inputsOf(imageOf(service))) !== inputs) stale.push(service);
  }
  if (stale.length === 0) return;

  const context = mkdtempSync(join(tmpdir(), 'mayfly-images-'));
  try {
    cpSync(join(root, 'packages', 'profiles', 'profiles'), join(context, 'profiles'), { recursive: true });
    makeReadable(join(context, 'profiles'));
    for (const service of stale) {
      const started = performance.now();
      await bundle(join(root, 'services', service, 'src', 'main.ts'), join(context, service));
      makeReadable(join(context, service));
      await docker.build(service, context, inputs);
      say(`built ${imageOf(service)} in ${((performance.now() - started) / 1000).toFixed(1)} s`);
    }
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}

/** An image keeps the modes of the files that it was made from, and is run by a user who owns none of them. */
function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const file of globSync(join(folder, '*'))) chmodSync(file, 0o644);
}

/** Everything that an image is made from: sources, dependencies by the lock file, the Dockerfile, its base, and this. */
function digestOfInputs(baseId: string): string {
  const files = [
    ...globSync('{packages,services}/*/{package.json,src/**/*.ts}', { cwd: root }),
    ...globSync('packages/profiles/profiles/*.yaml', { cwd: root }),
    ...['package-lock.json', 'infra/Dockerfile', 'infra/images.ts', 'infra/bundle.ts'],
  ].filter((file) => !file.endsWith('.test.ts'));
  const hash = createHash('sha256').update(baseId);
  for (const file of files.sort((a, b) => (a < b ? -1 : 1))) {
    const content = readFileSync(join(root, file));
    hash.update(`\0${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

function dockerWith(run: Run) {
  const inspect = (image: string, format: string) =>
    run('docker', ['image', 'inspect', '--format', format, image]).then(
      (text) => text.trim(),
      () => undefined,
    );
  return {
    idOf: async (image: string) => (await inspect(image, '{{.Id}}')) ?? '',
    inputsOf: (image: string) => inspect(image, `{{index .Config.Labels "${INPUTS}"}}`),
    async ensureBase(say: (line: string) => void) {
      if (await inspect(BASE, '{{.Id}}')) return;
      say(`pulling ${BASE} …`);
      await run('docker', ['pull', '-q', BASE]);
    },
    build: (service: ServiceName, context: string, inputs: string) => {
      const options = ['-q', '--network', 'none', '-f', dockerfile, '-t', imageOf(service)];
      const values = ['--build-arg', `SERVICE=${service}`, '--label', `${INPUTS}=${inputs}`];
      return run('docker', ['build', ...options, ...values, context]);
    },
  };
}

if (import.meta.main) await buildImages((line) => console.log(line));
