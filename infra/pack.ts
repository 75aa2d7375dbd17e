import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.ts';

const USAGE = `usage: npm run pack [-- --to DIRECTORY]

Makes what others install, as files for \`npm install\`, in DIRECTORY (dist if left out):
  mayfly           the command of runners and operators: one file, for Node 24, that needs nothing else
  @mayfly/client   for CI systems written in Node
  @mayfly/verifier for relying parties written in Node`;

type Manifest = { name: string; version: string; license: string; dependencies?: Record<string, string> };
/** A library: its package, its modules by the names that users import, and what it is. */
type Library = { folder: string; modules: Record<string, string>; description: string };

const LIBRARIES: readonly Library[] = [
  {
    folder: 'client',
    modules: {
      './client': 'client/src/client',
      './environment': 'client/src/environment',
      './errors': 'contracts/src/errors',
    },
    description: 'Says to Mayfly that builds start and finish, and gives their ID tokens',
  },
  {
    folder: 'verifier',
    modules: {
      '.': 'verifier/src/index',
      './claims': 'verifier/src/claims',
      './express': 'verifier/src/express',
      './fastify': 'verifier/src/fastify',
      './verification-error': 'verifier/src/verification-error',
    },
    description: 'Verifies the ID tokens of a Mayfly issuer, and takes one only while its build runs',
  },
];

const root = fileURLToPath(new URL('..', import.meta.url));
const NODE = { node: '>=24' };

/** Makes the packages in a folder; gives their files. Throws where the compiler or npm fails, with what they say. */
export async function pack(to: string): Promise<string[]> {
  mkdirSync(to, { recursive: true });
  const stage = mkdtempSync(join(tmpdir(), 'mayfly-pack-'));
  try {
    const folders = [await stageCommand(join(stage, 'mayfly'))];
    for (const library of LIBRARIES) folders.push(stageLibrary(library, join(stage, library.folder)));
    return folders.map((folder) => {
      const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', to], folder);
      const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
      return join(to, basename(filename.replace('@mayfly/', 'mayfly-')));
    });
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** The command in one file, with the profiles that it explains tokens by. */
async function stageCommand(folder: string): Promise<string> {
  const { version, license } = manifestOf('cli');
  await bundle(join(root, 'packages', 'cli', 'src', 'main.ts'), join(folder, 'bin'));
  chmodSync(join(folder, 'bin', 'main.mjs'), 0o755);
  cpSync(join(root, 'packages', 'profiles', 'profiles'), join(folder, 'profiles'), { recursive: true });
  finish(folder, 'cli', {
    ...{ name: 'mayfly', version, license, type: 'module', engines: NODE },
    description: 'The identity of a build: runs steps with ID tokens that die with their build',
    bin: { mayfly: 'bin/main.mjs' },
  });
  return folder;
}

/** A library as JavaScript with its types, and what it takes of our other packages within it. */
function stageLibrary({ folder: name, modules, description }: Library, folder: string): string {
  const lib = join(folder, 'lib');
  const { version, license, name: fullName } = manifestOf(name);
  compile(Object.values(modules), lib);
  const files = globSync('**/*.{js,d.ts}', { cwd: lib }).map((file) => join(lib, file));
  for (const file of files) {
    const text = readFileSync(file, 'utf8').replaceAll(/(['"])@mayfly\/(\w+)\//g, '$1#$2/');
    writeFileSync(file, text);
  }
  const at = (module: string) => ({ types: `./lib/${module}.d.ts`, default: `./lib/${module}.js` });
  finish(folder, name, {
    ...{ name: fullName, version, license, description, type: 'module', engines: NODE },
    exports: Object.fromEntries(Object.entries(modules).map(([as, module]) => [as, at(module)])),
    imports: { '#contracts/*': at('contracts/src/*') },
    dependencies: dependenciesOf(files, [name, 'contracts']),
  });
  return folder;
}

function compile(modules: string[], outDir: string): void {
  const config = join(root, 'packages', `tsconfig.pack-${process.pid}.json`);
  // By way of node_modules they would count as somebody else's, and not be compiled.
  const paths = { '@mayfly/contracts/*': ['./contracts/src/*.ts'] };
  const compilerOptions = { noEmit: false, declaration: true, rootDir: '.', outDir, paths };
  const include = modules.map((module) => `${module}.ts`);
  writeFileSync(config, JSON.stringify({ extends: '../tsconfig.base.json', compilerOptions, include }));
  try {
    run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', config], root);
  } finally {
    rmSync(config);
  }
}

/** The packages of others that files import, each in the version that we have tried. */
function dependenciesOf(files: string[], folders: string[]): Record<string, string> {
  const known = Object.assign({}, ...folders.map((folder) => manifestOf(folder).dependencies));
  const names = files.flatMap((file) => {
    const imports = readFileSync(file, 'utf8').matchAll(/(?:from|import\() ?['"]([^.#'"][^'"]*)['"]/g);
    return [...imports].flatMap(([, specifier = '']) => {
      const [first = '', second = ''] = specifier.split('/');
      return isBuiltin(specifier) ? [] : [first.startsWith('@') ? `${first}/${second}` : first];
    });
  });
  return Object.fromEntries(
    [...new Set(names)]
      .sort((one, other) => (one < other ? -1 : 1))
      .map((name) => {
        if (known[name] === undefined) throw new Error(`${name} is imported and in no package.json of ours`);
        return [name, known[name] as string];
      }),
  );
}

function finish(folder: string, name: string, manifest: object): void {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  cpSync(join(root, 'packages', name, 'README.md'), join(folder, 'README.md'));
  cpSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(root, 'packages', folder, 'package.json'), 'utf8')) as Manifest;
}

function run(file: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${basename(file)} failed: ${error?.message ?? `${stdout}${stderr}`}`);
  return stdout;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { to: { type: 'string', default: 'dist' }, help: { type: 'boolean' } },
  });
  if (values.help) console.log(USAGE);
  else
    for (const file of await pack(resolve(values.to)))
      console.log(`${file} (${Math.round(statSync(file).size / 1024)} KiB)`);
}
