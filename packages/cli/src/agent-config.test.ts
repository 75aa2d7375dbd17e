import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { readAgentConfig } from './agent-config.ts';
import { parseExecOptions } from './exec-options.ts';

const read = (text: string, job?: string) => {
  const directory = mkdtempSync(join(tmpdir(), 'config-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'agent-config.yml');
  writeFileSync(file, text);
  return readAgentConfig(file, job);
};
const TOKENS = 'id_tokens: { A: { aud: a }, B: { aud: [b, c] } }\n';

test('tokens have one audience or several, and secrets the short form or the long one', () => {
  const { idTokens, secrets } = read(`${TOKENS}
secrets:
  SHORT: { vault: production/db/password@ops, token: $A }
  DEFAULT: { vault: production/db/password, token: $A, file: false }
  LONG: { vault: { engine: { name: kv-v1, path: old/kv }, path: db, field: pass@word }, token: '\${B}' }
`);

  expect(idTokens).toEqual({ A: ['a'], B: ['b', 'c'] });
  const path = 'production/db';
  expect(secrets).toEqual({
    SHORT: { version: 2, mount: 'ops', path, field: 'password', token: 'A', isFile: true },
    DEFAULT: { version: 2, mount: 'kv-v2', path, field: 'password', token: 'A', isFile: false },
    LONG: { version: 1, mount: 'old/kv', path: 'db', field: 'pass@word', token: 'B', isFile: true },
  });
});

test('the only ID token is the one that secrets are read with', () => {
  const { secrets } = read('id_tokens: { A: { aud: a } }\nsecrets: { S: { vault: x/y@z } }');

  expect(secrets).toMatchObject({ S: { token: 'A' } });
});

test('a file that declares nothing gives nothing', () => {
  expect(read('image: alpine')).toEqual({ idTokens: {}, secrets: {}, variables: {} });
});

test.each([
  ['that is empty', ''],
  ['of a comment', '# nothing yet\n'],
  ['whose names have nothing behind them', 'id_tokens:\nsecrets:\nvariables:\n'],
])('a file %s declares nothing', (_, text) => {
  expect(read(text)).toEqual({ idTokens: {}, secrets: {}, variables: {} });
});

test('a job with an empty id_tokens has no tokens, not those of default', () => {
  expect(read('default: { id_tokens: { A: { aud: a } } }\none: { id_tokens: }', 'one').idTokens).toEqual({});
});

test('a job has of default and of the variables of the file what it inherits', () => {
  const file = 'variables: { X: x, Y: y }\ndefault: { id_tokens: { A: { aud: a } }, image: i }\n';
  const job = (inherit: string) => {
    const { idTokens, variables } = read(`${file}job: { inherit: ${inherit} }`, 'job');
    return [...Object.keys(idTokens), ...Object.keys(variables)].join();
  };

  expect(job('{}')).toBe('A,X,Y');
  expect(job('{ default: false, variables: false }')).toBe('');
  expect(job('{ default: [image], variables: [Y] }')).toBe('Y');
  expect(job('{ default: [id_tokens] }')).toBe('A,X,Y');
});

test('a pipeline may begin with the document of its inputs', () => {
  const text = 'spec: { inputs: { stage: { default: x } } }\n---\ndeploy: { id_tokens: { A: { aud: a } } }\n';

  expect(read(text, 'deploy').idTokens).toEqual({ A: ['a'] });
});

test('audiences are expanded from the variables of the job, then of the file; the rest is left to the issuer', () => {
  const text = `
variables: { HOST: file.example, STAGE: { value: test }, URL: 'https://$HOST/\${STAGE}', RAW: { value: $HOST, expand: false } }
job:
  variables: { HOST: job.example }
  id_tokens: { A: { aud: [$URL, 'https://\${HOST}', 'x-$CI_PROJECT_ID-\${environment}', $$HOST, $RAW] } }
`;

  expect(read(text, 'job').idTokens).toEqual({
    A: [
      'https://job.example/test',
      'https://job.example',
      'x-$CI_PROJECT_ID-\u0024{environment}',
      '$$HOST',
      '$$HOST',
    ],
  });
});

test('variables that double one another are refused, whatever they hold', () => {
  const doubling = (end: string) => {
    const names = Array.from({ length: 40 }, (_, at) => `  V${at}: $V${at + 1}$V${at + 1}`);
    return `variables:\n${names.join('\n')}\n  V40: "${end}"\nid_tokens: { A: { aud: x$V0 } }`;
  };

  expect(() => read(doubling('x'))).toThrow('too long');
  expect(read(doubling('')).idTokens).toEqual({ A: ['x'] });
});

test('a job has its own tokens in place of those of default', () => {
  const text = 'default: { id_tokens: { A: { aud: a } } }\none: { id_tokens: { B: { aud: b } } }\ntwo: {}';

  expect([read(text, 'one').idTokens, read(text, 'two').idTokens]).toEqual([{ B: ['b'] }, { A: ['a'] }]);
});

test.each([
  ['a list', '- x', 'map at its top'],
  ['broken YAML', 'id_tokens: {', 'is no YAML (line 1'],
  ['a name twice', 'id_tokens: {}\nid_tokens: {}', 'is no YAML (line 2'],
  ['an alias to nothing', 'id_tokens: *nothing', 'no YAML'],
  [
    'aliases without end',
    `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefgh'.replace(/./g, (c) => `${c}: &${c} [${`*${String.fromCharCode(c.charCodeAt(0) - 1)},`.repeat(10)}]\n`)}`,
    'aliases',
  ],
  ['tokens as a list', 'id_tokens: [A]', 'id_tokens is no map'],
  ['a token without aud', 'id_tokens: { A: {} }', 'id_tokens.A.aud should be'],
  ['a token that is text', 'id_tokens: { A: https://x }', 'id_tokens.A should be { aud: AUDIENCE }'],
  ['an audience that is a number', 'id_tokens: { A: { aud: [1] } }', 'id_tokens.A.aud'],
  ['a token with more', 'id_tokens: { A: { aud: a, exp: 5 } }', 'id_tokens.A.exp is not known'],
  ['a name that is no variable', 'id_tokens: { "A B": { aud: a } }', 'no name of a variable'],
  ['a secret without a token', 'secrets: { S: { vault: x/y@z } }', 'secrets.S needs an ID token'],
  ['two tokens and none named', `${TOKENS}secrets: { S: { vault: x/y@z } }`, 'secrets.S.token is missing'],
  ['a token that is not declared', `${TOKENS}secrets: { S: { vault: x/y@z, token: $C } }`, 'names C'],
  [
    'a secret of another store',
    `${TOKENS}secrets: { S: { azure_key_vault: { name: x }, token: $A } }`,
    'azure_key_vault is not known',
  ],
  [
    'a short form without a field',
    `${TOKENS}secrets: { S: { vault: password@ops, token: $A } }`,
    'PATH/FIELD@ENGINE',
  ],
  [
    'an engine of no kind',
    `${TOKENS}secrets: { S: { vault: { engine: { name: kv, path: x }, path: y, field: z }, token: $A } }`,
    'kv-v2, kv-v1 or generic',
  ],
  ['two documents', 'image: a\n---\nid_tokens: { A: { aud: a } }', 'holds 2 YAML documents'],
  ['a header and no job named', `spec: {}\n---\n${TOKENS}`, 'holds 2 YAML documents'],
  ['a second document that is broken', 'image: a\n---\nid_tokens: {', 'is no YAML (line 3'],
  [
    'a key in a secret that Vault has not',
    `${TOKENS}secrets: { S: { vault: { engine: { name: kv-v2, path: x }, path: y, field: z, namespace: n }, token: $A } }`,
    'secrets.S.vault.namespace is not known: it has engine, path, field',
  ],
  [
    'a key in an engine that none has',
    `${TOKENS}secrets: { S: { vault: { engine: { name: kv-v2, path: x, version: 2 }, path: y, field: z }, token: $A } }`,
    'secrets.S.vault.engine.version is not known',
  ],
  ['a secret and a token of one name', `${TOKENS}secrets: { A: { vault: x/y@z, token: $A } }`, 'A is the'],
  [
    'a secret called as the file of a token',
    `${TOKENS}secrets: { A_FILE: { vault: x/y@z, token: $A } }`,
    'A_FILE is the variable of two',
  ],
  ['a token called as the file of another', 'id_tokens: { A: { aud: a }, A_FILE: { aud: a } }', 'A_FILE is'],
  [
    'variables in a circle',
    'variables: { X: $Y, Y: $X }\nid_tokens: { A: { aud: $X } }',
    'X, Y, X refer to each other',
  ],
  ['an input that is not filled in', 'id_tokens: { A: { aud: "$[[ inputs.aud ]]" } }', 'names an input'],
  ['file that is text', `${TOKENS}secrets: { S: { vault: x/y@z, token: $A, file: "no" } }`, 'true or false'],
])('a file with %s is refused in one line', (_, text, said) => {
  expect(() => read(text)).toThrow(expect.objectContaining({ failure: 'configuration' }));
  expect(() => read(text)).toThrow(said);
  expect(() => read(text)).not.toThrow('\n');
});

test.each([
  ['that is not there', 'a: {}', 'there is no job'],
  ['of a second document', 'a: {}\n---\nb: {}', 'holds 2 YAML documents'],
  ['of a third document', 'spec: {}\n---\nb: {}\n---\nb: {}', 'holds 3 YAML documents'],
  ['that extends another', 'b: { extends: .x }', 'extends another job'],
])('a job %s is refused', (_, text, said) => {
  expect(() => read(text, 'b')).toThrow(said);
});

test('a job without the file that it is in is a wrong command line', () => {
  expect(() => parseExecOptions(['--job', 'deploy', '--', 'true'])).toThrow(
    expect.objectContaining({ failure: 'usage', message: expect.stringContaining('--config') }),
  );
});

test('a file that is not there is named', () => {
  expect(() => readAgentConfig('/nowhere.yml', undefined)).toThrow('/nowhere.yml cannot be read (ENOENT)');
});

test('the file of the guide declares what the guide says', () => {
  const guide = readFileSync(join(import.meta.dirname, '../../../docs/gitlab.md'), 'utf8');
  const [, config = ''] = /```yaml\n([\s\S]*?)```/.exec(guide) ?? [];

  const { idTokens, secrets } = read(config);

  expect(Object.keys(idTokens)).toEqual(['VAULT_ID_TOKEN', 'AWS_ID_TOKEN']);
  expect(Object.entries(secrets).map(([name, { field, isFile }]) => [name, field, isFile])).toEqual([
    ['DB_PASSWORD', 'password', false],
    ['DB_USER', 'user', true],
  ]);
});
