import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type Ci, connectCi } from './ci.ts';
import { RFC_PIPELINE } from './concourse-seed.ts';
import { type TestSystem, testSystem } from './system.ts';
import { startVault, type TestVault } from './vault.ts';
import { runMayfly, workDirectory } from './vault-mayfly.ts';

const AWS = 'sts.amazonaws.com';
const BUILD = {
  organization: { id: '1', name: 'main' },
  pipeline: { id: '7', name: 'deploy', instance_vars: { branch: 'feature' } },
  job: { id: '9', name: 'use-vars' },
};

let system: TestSystem;
let vault: TestVault;
let ci: Ci;
let env: Record<string, string>;
let namespace: string;
beforeAll(async () => {
  vault = await startVault();
  const policy = `
sources: { concourse: { profile: concourse, audiences: ['${vault.url}', ${AWS}], max_lifetime: 15m, algorithms: { ${AWS}: ES256 } } }
relying_parties: { vault: { audiences: ['${vault.url}'] } }
`;
  system = await testSystem({ policy });
  ci = await connectCi(system, 'concourse');
  await ci.start({ id: '42', idTokens: {}, build: BUILD });
  const { data } = await ci.heard('42');
  env = {
    MAYFLY_ID_TOKEN_REQUEST_URL: data.id_token_request_url,
    MAYFLY_ID_TOKEN_REQUEST_TOKEN: data.id_token_request_token,
  };
  namespace = (await vault.asRoot('POST', 'sys/namespaces/root', {})).status < 300 ? 'root' : '';
  await prepareVault();
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await Promise.all([vault[Symbol.asyncDispose](), system[Symbol.asyncDispose]()]);
});

async function prepareVault(): Promise<void> {
  const set = (path: string, body: object) => vault.asRoot('POST', path, body, namespace);
  const issuer = issuerUrl(system.baseUrl, 'concourse');
  await set('sys/auth/concourse', { type: 'jwt' });
  await set('auth/concourse/config', { oidc_discovery_url: issuer, bound_issuer: issuer });
  await set('sys/mounts/concourse', { type: 'kv', options: { version: '2' } });
  await set('sys/mounts/old', { type: 'kv', options: { version: '1' } });
  const path = { 'concourse/data/*': { capabilities: ['read'] }, 'old/*': { capabilities: ['read'] } };
  await set('sys/policies/acl/concourse', { policy: JSON.stringify({ path }) });
  await set('auth/concourse/role/example', {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: [vault.url],
    bound_subject: 'main/deploy',
    bound_claims_type: 'glob',
    bound_claims: { team: 'ma*', job: 'use-vars' },
    claim_mappings: { team: 'team', pipeline: 'pipeline' },
    token_policies: ['concourse'],
  });
  await set('concourse/data/main/deploy/some_secret', { data: { username: 'hello-im-a-username' } });
  await set('concourse/data/main/secret%20with_spaces.etc', { data: { some_key: 'some-value' } });
  await set('concourse/data/shared/deploy/both', { data: { value: 'the shared one' } });
  await set('concourse/data/both', { data: { value: 'the one at the root' } });
  await set('concourse/data/at_root', { data: { value: 'only at the root', other: 'x' } });
  await set('concourse/data/main/typed', { data: { port: 5432, hosts: ['a', 'b'] } });
  await set('old/main/first', { value: 'a secret of version 1' });
}

/** The RFC's pipeline, told where the Vault of the test is. */
function rfcPipeline(): string {
  const parts = RFC_PIPELINE.split('https://vault.example.com');
  expect(parts).toHaveLength(2);
  return parts.join(vault.url);
}

async function interpolate(pipeline: string, more: Record<string, string> = {}, ...args: string[]) {
  const cwd = workDirectory();
  writeFileSync(join(cwd, 'pipeline.yml'), pipeline);
  const whose = ['--team', 'main', '--pipeline', 'deploy', '--timeout', '5'];
  return await runMayfly(['interpolate', 'pipeline.yml', ...whose, ...args], {
    cwd,
    env: { ...env, ...more },
  });
}

test('the pipeline of the RFC runs as it stands, with both tests of its job', async () => {
  const { code, stdout, stderr } = await interpolate(rfcPipeline());

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const written = parse(stdout);
  const { run } = written.jobs[0].plan[0].config;
  const trace = execFileSync(run.path, run.args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  expect(trace).toBe('');
  expect(run.args[1]).toBe(
    'test "hello-im-a-username" = "hello-im-a-username"\ntest "some-value" = "some-value"\n',
  );
  expect(written).not.toHaveProperty('var_sources');
  expect(await vault.tokens()).toEqual([]);
});

test('the two tests of the job fail where a secret differs', async () => {
  const secret = { data: { username: 'somebody-else-by-now' } };
  await vault.asRoot('POST', 'concourse/data/other/deploy/some_secret', secret, namespace);
  const whose = ['--team', 'other'];
  const pipeline = rfcPipeline().replace(/^.*with_spaces.*\n/m, '');

  const { stdout } = await interpolate(pipeline, {}, ...whose);

  const { run } = parse(stdout).jobs[0].plan[0].config;
  expect(() => execFileSync(run.path, run.args, { stdio: 'ignore' })).toThrow('Command failed');
});

const source = (more: string) => `
var_sources:
- name: v
  type: vault
  config:
    url: ${vault.url}
    path_prefix: /concourse
    shared_path: "/shared/{{.Pipeline}}/{{.Secret}}"
    namespace: /root
    auth_path: //auth//concourse//login//
    auth_type: jwt
    ${more}
`;

test('a secret is looked for where the templates say, then shared, then at the root, and keeps its type', async () => {
  const { stdout, stderr } = await interpolate(
    `${source('auth_role: example')}x: { both: ((v:both)), root: ((v:at_root)), typed: ((v:typed)), text: "p=((v:typed.port))" }\n`,
  );

  expect(stderr).toBe('');
  expect(parse(stdout).x).toEqual({
    both: 'the shared one',
    root: 'only at the root',
    typed: { port: 5432, hosts: ['a', 'b'] },
    text: 'p=5432',
  });
});

test('a mount of KV version 1 is told from one of version 2', async () => {
  const pipeline = source('auth_role: example').replace('path_prefix: /concourse', 'path_prefix: /old');

  const { stdout } = await interpolate(`${pipeline}x: ((v:first))\n`);

  expect(parse(stdout).x).toBe('a secret of version 1');
});

test('auth_params may name the token of the build, or that of another source', async () => {
  const params = (jwt: string) => source(`auth_params: { role: example, jwt: "((${jwt}))" }`);
  const own = await interpolate(`${params('.CONCOURSE_CI_JWT')}x: ((v:both))\n`);
  const idToken = `- { name: t, type: idtoken, config: { audience: ['${vault.url}'], expires_in: 10m } }\n`;
  const other = await interpolate(`${params('t:token')}${idToken}x: ((v:both))\n`);
  const given = await interpolate(`${params('.CONCOURSE_CI_JWT')}x: ((v:both))\n`, {
    CONCOURSE_CI_JWT: 'a.b.c',
  });

  expect([own, other].map(({ stdout }) => parse(stdout).x)).toEqual(['the shared one', 'the shared one']);
  expect(given).toMatchObject({ code: 4, stdout: '' });
  expect(given.stderr).toMatch(
    /^mayfly: Vault at .* refused the login at auth\/concourse \(error validating token/,
  );
});

test('an idtoken source says in the subject what its scope is, and an algorithm that policy does not give is told', async () => {
  const sources = (scope: string, algorithm: string) =>
    `var_sources: [{ name: t, type: idtoken, config: { audience: [${AWS}], subject_scope: ${scope}, expires_in: 10m, algorithm: ${algorithm} } }]\nx: ((t:token))\n`;
  const claims = async (scope: string) => {
    const { stdout } = await interpolate(sources(scope, 'ES256'));
    return JSON.parse(Buffer.from(parse(stdout).x.split('.')[1], 'base64url').toString());
  };

  const { sub, iat, exp, aud } = await claims('job');
  const refused = await interpolate(sources('team', 'RS256'));

  expect({ sub, life: exp - iat, aud }).toEqual({
    sub: 'main/deploy/branch:feature/use-vars',
    life: 600,
    aud: [AWS],
  });
  expect(refused).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('set algorithms in mayfly.yaml'),
  });
});

test('within mayfly exec everything that is put into the file is masked in the output of the step', async () => {
  const cwd = workDirectory();
  writeFileSync(join(cwd, 'p.yml'), rfcPipeline());
  const main = join(import.meta.dirname, '..', 'packages', 'cli', 'src', 'main.ts');
  const script = `${process.execPath} ${main} interpolate p.yml --team main --pipeline deploy -o out.yml && grep test out.yml`;

  const { code, stdout } = await runMayfly(['exec', '--', 'sh', '-c', script], { cwd, env });

  expect(code).toBe(0);
  expect(stdout.replace(/^ +/gm, '')).toContain('test "***" = "***"\ntest "***" = "***"\n');
  expect(readFileSync(join(cwd, 'out.yml'), 'utf8')).toContain('hello-im-a-username');
});

test('a secret that is not there, or lacks the field, is told in one line, and nothing is written', async () => {
  const none = await interpolate(`${source('auth_role: example')}x: ((v:none))\n`);
  const field = await interpolate(`${source('auth_role: example')}x: ((v:typed.none))\n`);

  expect([none.code, none.stdout, field.code, field.stdout]).toEqual([3, '', 3, '']);
  const where =
    '/concourse/main/deploy/none, /concourse/main/none, /concourse/shared/deploy/none, /concourse/none';
  expect(none.stderr).toContain(`there is no secret "none" in v, or none that it may read (${where})`);
  expect(field.stderr).toBe('mayfly: ((v:typed.none)) names a field none, which is not there\n');
  expect(await vault.tokens()).toEqual([]);
});
