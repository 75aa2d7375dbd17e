import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, onTestFinished, test } from 'vitest';
import { parse, parseDocument } from 'yaml';
import { runCommand } from './commands.ts';
import { interpolateDocument } from './interpolate-document.ts';
import { referencesIn, substitute } from './interpolate-text.ts';
import { eventually, runMayfly, startMayfly } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';
import { readVarSources, type VarSource } from './var-source.ts';
import { readIdToken } from './var-source-idtoken.ts';
import { lookupPaths } from './var-source-lookup.ts';
import { readVault } from './var-source-vault.ts';

const write = (text: string) => {
  const directory = mkdtempSync(join(tmpdir(), 'pipeline-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'pipeline.yml');
  writeFileSync(file, text);
  return file;
};

test.each([
  ['((name))', { source: undefined, path: 'name', fields: [] }],
  ['((src:path.field.more))', { source: 'src', path: 'path', fields: ['field', 'more'] }],
  [
    '((src:"secret with_spaces.etc".some_key))',
    { source: 'src', path: 'secret with_spaces.etc', fields: ['some_key'] },
  ],
  ['((src:a/b.c))', { source: 'src', path: 'a/b', fields: ['c'] }],
  ['((.:local))', { source: '.', path: 'local', fields: [] }],
  ['((.CONCOURSE_CI_JWT))', { source: undefined, path: '.CONCOURSE_CI_JWT', fields: [] }],
])('%s is read as Concourse reads it', (text, reference) => {
  expect(referencesIn(text)).toEqual([{ text: text.slice(2, -2), ...reference }]);
});

test('what is no reference stays as it is', () => {
  const text = '$((1 + 2)) (( spaced )) (single) ((a b)) {{.Team}}';

  expect(referencesIn(text)).toEqual([]);
  expect(substitute(text, () => 'x')).toBe(text);
});

test('a reference that is a whole value keeps its type, one within a text becomes text', () => {
  expect(substitute('((a))', () => ({ b: 1 }))).toEqual({ b: 1 });
  expect(substitute('x((a))y((b))', ({ path }) => (path === 'a' ? 5 : 'z'))).toBe('x5yz');
  expect(() => substitute('x((a))', () => ({ b: 1 }))).toThrow('neither text nor a number');
});

test('whatever a secret holds, the file that is written holds it and nothing else changes', async () => {
  const pipeline =
    'a: ((s:whole)) # kept\nb: "in ((s:whole)) text"\nc: |\n  echo ((s:whole))\n  end\n? ((s:whole))\n: d\n';
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'grapheme' }).filter((text) => !['a', 'b', 'c'].includes(text)),
      async (secret) => {
        const document = parseDocument(pipeline);
        await interpolateDocument(document, async () => secret);

        const written = document.toString({ lineWidth: 0 });
        expect(parse(written)).toEqual({
          a: secret,
          b: `in ${secret} text`,
          c: `echo ${secret}\nend\n`,
          [secret]: 'd',
        });
        expect(written).toContain('# kept');
      },
    ),
  );
});

test('a text that YAML 1.1 would read as something else stays a text, and what the file says itself stays as it is', async () => {
  for (const secret of ['yes', 'on', 'N', '1_000_000_0', '0b10101010', '190:20:30', '2026-11-20', '<<']) {
    const own = 'check: yes\nsize: 1_000\n';
    const document = parseDocument(`${own}a: ((s:whole))\nb: ((s:map))\n? ((s:whole))\n: c\n`);

    await interpolateDocument(document, async ({ path }) => (path === 'map' ? { [secret]: secret } : secret));

    const written = document.toString({ lineWidth: 0 });
    const given = { a: secret, b: { [secret]: secret }, [secret]: 'c' };
    expect(parse(written, { version: '1.1', merge: false })).toEqual({ check: true, size: 1000, ...given });
    expect(written.startsWith(own)).toBe(true);
  }
});

test('a secret that looks like a reference is not looked up', async () => {
  const document = parseDocument('a: ((s:one))\nb: ((s:two))');

  await interpolateDocument(document, async ({ path }) => (path === 'one' ? { x: '((s:two))' } : 'two'));

  expect(document.toJS()).toEqual({ a: { x: '((s:two))' }, b: 'two' });
});

test('a secret is looked for by the templates, then where it is shared, then at the root', () => {
  const source = { name: 'v', type: 'vault' as const, config: { path_prefix: '/p', shared_path: 'shared' } };
  const whose = { team: 'main', pipeline: 'deploy' };

  expect(lookupPaths(source, 's', whose)).toEqual(['/p/main/deploy/s', '/p/main/s', '/p/shared/s', '/p/s']);
  expect(lookupPaths(source, 's', { ...whose, pipeline: undefined })).toEqual([
    '/p/main/s',
    '/p/shared/s',
    '/p/s',
  ]);
});

test('an idtoken source asks with its audiences, its scope and its lifetime, once', async () => {
  await using issuer = await startStandInIssuer();
  const file = write(`
var_sources:
- name: aws
  type: idtoken
  config: { audience: [sts.amazonaws.com], subject_scope: job, expires_in: 15m, algorithm: RS256 }
- { name: ours, type: dummy, config: { vars: { a: b } } }
jobs: [{ name: one, token: ((aws:token)), again: "Bearer ((aws:token))", left: ((ours:a)), local: "((.:x))", kept: ((other)) }]
`);
  const env = {
    MAYFLY_ID_TOKEN_REQUEST_URL: issuer.requestUrl,
    MAYFLY_ID_TOKEN_REQUEST_TOKEN: issuer.requestToken,
  };

  const { code, stdout, stderr } = await runMayfly(['interpolate', file, '--keep-unknown'], { env });

  const [token] = issuer.given;
  expect({ code, stderr, given: issuer.given.length }).toEqual({ code: 0, stderr: '', given: 1 });
  expect(parse(stdout)).toEqual({
    var_sources: [{ name: 'ours', type: 'dummy', config: { vars: { a: 'b' } } }],
    jobs: [
      {
        name: 'one',
        token,
        again: `Bearer ${token}`,
        left: '((ours:a))',
        local: '((.:x))',
        kept: '((other))',
      },
    ],
  });
  expect(issuer.asked[0]?.search).toContain('audience=sts.amazonaws.com&lifetime=900&subject_claim=job');
});

test('one job is written without the others, and --output is readable for its owner alone', async () => {
  const file = write('jobs: [{ name: one, x: ((a)) }, { name: two, x: ((unknown)) }]');

  const { code, stdout } = await runMayfly([
    'interpolate',
    file,
    '--job',
    'one',
    '-v',
    'a=b',
    '--output',
    file,
  ]);

  expect({ code, stdout }).toEqual({ code: 0, stdout: '' });
  expect(parse(readFileSync(file, 'utf8'))).toEqual({ jobs: [{ name: 'one', x: 'b' }] });
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test('the sources of the guide are what the guide says', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/concourse.md'), 'utf8');
  const [, pipeline = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];

  const [aws, hvjwt] = readVarSources(parse(pipeline).var_sources) as [VarSource, VarSource];

  expect(readIdToken(aws)).toEqual({
    request: { audiences: ['sts.amazonaws.com'], subjectClaim: 'job', lifetimeSeconds: 900 },
    algorithm: 'RS256',
  });
  expect(readVault(hvjwt)).toMatchObject({
    authPath: '/auth/concourse',
    role: 'example',
    audience: hvjwt.config['url'],
  });
});

const sources = (text: string) => `var_sources: ${text}\nx: ((a:token))\n`;
const idToken = (name: string, config: string) => `{ name: ${name}, type: idtoken, config: { ${config} } }`;
const vault = (config: string) =>
  sources(`[{ name: a, type: vault, config: { url: http://127.0.0.1:1, ${config} } }]`);
const jwt = 'auth_type: jwt';

test.each([
  ['a name without a source', 'x: ((nothing))', '((nothing)) names nothing'],
  ['an environment variable', 'x: ((.HOME))', '((.HOME)) names nothing'],
  ['the token of the build itself', 'x: ((.CONCOURSE_CI_JWT))', '((.CONCOURSE_CI_JWT)) names nothing'],
  ['an unknown source', 'x: ((src:a))', 'names the source src'],
  ['an empty part', 'x: ((src:a..b))', 'a part of it is empty'],
  [
    'a circle',
    sources(`[${idToken('a', 'audience: "((b:token))"')}, ${idToken('b', 'audience: ["((a:token))"]')}]`),
    'a, b, a refer to each other in a circle',
  ],
  ['a source that names itself', sources(`[${idToken('a', 'audience: "((a:token))"')}]`), 'a, a refer to'],
  ['sources that are no list', 'var_sources: { a: b }', 'var_sources is no list'],
  ['a source without a name', 'var_sources: [{ type: idtoken }]', 'var_sources[0] has no name'],
  [
    'two sources of one name',
    sources(`[${idToken('a', '')}, ${idToken('a', '')}]`),
    'two var_sources called a',
  ],
  ['a type that is none', sources('[{ name: a, type: vualt }]'), 'no known type'],
  ['a key that is none', sources(`[${idToken('a', 'aud: x')}]`), 'says aud'],
  ['a scope that is none', sources(`[${idToken('a', 'subject_scope: build')}]`), 'subject_scope'],
  ['a duration that is none', sources(`[${idToken('a', 'expires_in: 15 minutes')}]`), 'expires_in'],
  ['a field that a token has not', `var_sources: [${idToken('a', '')}]\nx: ((a:name))`, '((a:token))'],
  ['another way to log in', vault('auth_type: approle'), 'auth_type'],
  ['a certificate', vault(`${jwt}, ca_cert: x`), 'NODE_EXTRA_CA_CERTS'],
  [
    'a template that names nothing',
    vault(`${jwt}, lookup_templates: ["/{{.Tema}}/{{.Secret}}"]`),
    'may name .Team',
  ],
  ['a template without a secret', vault(`${jwt}, lookup_templates: ["/{{.Team}}"]`), 'names no .Secret'],
  [
    'a parameter that is none',
    vault(`${jwt}, auth_params: { rle: x }`),
    'auth_params of the var_source a says rle',
  ],
  ['a Vault and no grant', vault(jwt), 'no grant'],
  ['a list', '- x', 'map at its top'],
  ['broken YAML', 'x: [', 'is no YAML (line'],
  ['a second document', 'a: 1\n---\nb: 2\n', 'holds 2 YAML documents'],
  ['nothing', '', 'map at its top'],
] as const)('a pipeline with %s is refused in one line', async (_, pipeline, said) => {
  const { code, stdout, stderr } = await runHere(['interpolate', write(pipeline), '--timeout', '0']);

  expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
  expect(stderr).toContain(said);
  expect(stderr).toMatch(/^mayfly: [^\n]+\n$/);
});

/** Runs the command in this process. */
async function runHere(args: string[]) {
  const [stdin, stdout, stderr] = [new PassThrough().end(), new PassThrough(), new PassThrough()];
  const here = { stdin, stdout, stderr, env: {}, workDirectory: '/', self: [], onSignal: () => {} };
  const code = await runCommand(args, here);
  const [out, err] = await Promise.all([text(stdout.end()), text(stderr.end())]);
  return { code, stdout: out, stderr: err };
}

test('a signal ends it once its login to a Vault is revoked', async () => {
  const asked: string[] = [];
  const vault = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url?.endsWith('/login'))
      return response.end(JSON.stringify({ auth: { client_token: 'hvs.stub', lease_duration: 3600 } }));
    // The secret itself never comes.
    if (request.url?.endsWith('/revoke-self')) response.writeHead(204).end();
  });
  vault.listen(0, '127.0.0.1');
  await once(vault, 'listening');
  onTestFinished(() => {
    vault.closeAllConnections();
    vault.close();
  });
  const { port } = vault.address() as AddressInfo;
  const config = `{ url: http://127.0.0.1:${port}, auth_type: jwt, auth_params: { role: r, jwt: a.b.c } }`;
  const file = write(`var_sources: [{ name: s, type: vault, config: ${config} }]\na: ((s:x))\n`);
  const { child, ended } = startMayfly(['interpolate', file]);
  await eventually(() => asked.length > 1);

  child.kill('SIGTERM');

  expect(await ended).toEqual({ code: 143, stdout: '', stderr: '' });
  expect(asked.at(-1)).toBe('/v1/auth/token/revoke-self');
});
