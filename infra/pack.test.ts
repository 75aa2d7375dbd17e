import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pack } from './pack.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'mayfly-packed-'));
const modules = join(project, 'node_modules');

/** Installs what was packed as npm would; what it depends on is ours, so that no network is needed. */
beforeAll(async () => {
  mkdirSync(modules);
  for (const name of ['@nats-io', '@types', 'typebox', 'undici-types', 'typescript'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  const files = await pack(join(project, 'packed'));
  for (const [index, name] of ['mayfly', '@mayfly/client', '@mayfly/verifier'].entries()) {
    mkdirSync(join(modules, name), { recursive: true });
    run('tar', ['-xzf', files[index] as string, '--strip-components=1', '-C', join(modules, name)]);
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
}, 120_000);
afterAll(() => rmSync(project, { recursive: true }));

function run(file: string, args: string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd: project, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stdout}${stderr}`);
  return stdout;
}

const node = (...args: string[]) => run(process.execPath, args);

test('the command runs from its one file, and finds the profiles that come with it', () => {
  const main = join(modules, 'mayfly', 'bin', 'main.mjs');
  const event = {
    ...{ specversion: '1.0', id: '1', source: 'demo', type: 'dev.mayfly.ci.build.started' },
    time: new Date().toISOString(),
    data: {
      build: { id: '1', repository: { id: '7', name: 'octo/hello' }, ref: 'refs/heads/main' },
      id_tokens: {},
    },
  };
  writeFileSync(join(project, 'event.json'), JSON.stringify(event));

  expect(run(main, ['--version'])).toMatch(/^mayfly \d/);
  expect(run(main, ['--help'])).toContain('mayfly exec -- ./deploy.sh');
  const audience = ['--audience', 'https://api.example.com', '--issuer', 'https://id.example.com/demo'];
  const explained = node(
    main,
    'explain',
    '--event',
    'event.json',
    '--config',
    join(root, 'mayfly.yaml'),
    ...audience,
  );
  expect(explained).toContain('repo:7');
  expect(node(main, 'exec', '--help')).toContain('--id-token');
  // Over NATS too, which is loaded when it is needed.
  const nowhere = ['keys', 'list', '--nats', 'nats://127.0.0.1:1', '--password-file', 'event.json'];
  expect(() => node(main, ...nowhere)).toThrow(/ended with 5: mayfly: key-manager does not answer/);
});

test('the libraries can be imported and used, and need only what they say', () => {
  for (const name of ['client', 'verifier']) {
    const text = readFileSync(join(modules, '@mayfly', name, 'package.json'), 'utf8');
    expect(text).not.toContain('"*"');
  }
  const verifier = JSON.parse(readFileSync(join(modules, '@mayfly/verifier/package.json'), 'utf8')) as object;
  expect(verifier).toMatchObject({ dependencies: {} });

  const code = `
    import { createVerifier } from '@mayfly/verifier';
    import { VerificationError } from '@mayfly/verifier/verification-error';
    import { requireIdToken } from '@mayfly/verifier/fastify';
    import { requireIdToken as ofExpress } from '@mayfly/verifier/express';
    import { connect } from '@mayfly/client/client';
    import { grantEnvironment } from '@mayfly/client/environment';
    import { ServiceError } from '@mayfly/client/errors';
    const verifier = createVerifier({ issuer: 'https://id.example.com/a', audience: 'x' });
    const refused = await verifier.verify('no token').catch((error) => error);
    const unreached = await connect({ servers: 'nats://127.0.0.1:1', user: 'u', pass: 'p', source: 'acme' }).catch((error) => error);
    verifier.close();
    console.log(refused.code, refused instanceof VerificationError, typeof requireIdToken, typeof ofExpress, typeof grantEnvironment, typeof ServiceError, unreached instanceof Error);`;
  writeFileSync(join(project, 'use.mjs'), code);

  expect(node('use.mjs')).toBe('malformed true function function function function true\n');
});

test('their types say what they take and give', () => {
  const code = (audience: string) => `
    import { createVerifier } from '@mayfly/verifier';
    import type { IdToken } from '@mayfly/verifier/claims';
    import { connect } from '@mayfly/client/client';
    const verifier = createVerifier({ issuer: 'https://id.example.com/a', audience: ${audience} });
    export const subject = async (token: string): Promise<string> => {
      const claims: IdToken = await verifier.verify(token);
      return claims.sub;
    };
    export const start = async () => {
      await using mayfly = await connect({ servers: 'nats://x', user: 'u', pass: 'p', source: 'acme' });
      const grant = await mayfly.start({ id: '1', ref: 'refs/heads/main', id_tokens: { A: { aud: 'x' } } });
      return grant?.data.id_tokens['A'];
    };`;
  const compile = (audience: string) => {
    writeFileSync(join(project, 'use.ts'), code(audience));
    const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2025', '--types', 'node'];
    const lib = ['--lib', 'es2025,esnext.disposable'];
    return node(join(modules, 'typescript', 'bin', 'tsc'), ...options, ...lib, 'use.ts');
  };

  expect(compile("'x'")).toBe('');
  expect(() => compile('5')).toThrow("Type 'number' is not assignable to type 'string'");
});
