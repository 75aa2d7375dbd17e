import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { skip } from './skips.ts';
import { type TestSystem, testSystem } from './system.ts';
import { startVault, type TestVault } from './vault.ts';
import { runMayfly, startMayfly, workDirectory } from './vault-mayfly.ts';

const VAULT_AUD = 'https://vault.example.com';
const POLICY = `
sources:
  gitlab:
    profile: gitlab
    audiences: [${VAULT_AUD}, https://aws.example.com, https://vault.gitlab.example.com]
relying_parties:
  vault: { audiences: [${VAULT_AUD}] }
`;
const BUILD = {
  repository: {
    ...{ id: '20', name: 'my-group/my-project', visibility: 'private' },
    owner: { id: '72', name: 'my-group' },
  },
  pipeline: { id: '574' },
  actor: { id: '42', login: 'octocat' },
  runner: { id: '15', environment: 'self-hosted' },
  variables: { CI_SERVER_HOST: 'gitlab.example.com' },
};
const PASSWORD = 'correct-horse-battery';

let system: TestSystem;
let vault: TestVault;
let ci: Ci;
let grant: string;
beforeAll(async () => {
  [system, vault] = await Promise.all([testSystem({ policy: POLICY }), startVault()]);
  ci = await connectCi(system, 'gitlab');
  await ci.start({ id: '302', idTokens: {}, build: BUILD });
  grant = JSON.stringify(await ci.heard('302'));
  await prepareVault();
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await Promise.all([vault[Symbol.asyncDispose](), system[Symbol.asyncDispose]()]);
});

async function prepareVault(namespace?: string): Promise<void> {
  const set = (path: string, body: object) => vault.asRoot('POST', path, body, namespace);
  await set('sys/auth/jwt', { type: 'jwt' });
  const issuer = issuerUrl(system.baseUrl, 'gitlab');
  await set('auth/jwt/config', { oidc_discovery_url: issuer, bound_issuer: issuer });
  await set('sys/mounts/ops', { type: 'kv', options: { version: '2' } });
  await set('sys/mounts/old', { type: 'kv', options: { version: '1' } });
  const read = { capabilities: ['read'] };
  const paths = { 'ops/data/production/*': read, 'old/production/*': read };
  await set('sys/policies/acl/ci', { policy: JSON.stringify({ path: paths }) });
  const role = {
    role_type: 'jwt',
    user_claim: 'project_id',
    bound_audiences: [VAULT_AUD],
    bound_claims: { project_id: '20', ref: 'main', ref_type: 'branch' },
    claim_mappings: { project_path: 'project_path' },
    token_policies: ['ci'],
    token_ttl: 60,
  };
  await set('auth/jwt/role/ci', role);
  await set('auth/jwt/role/ending', { ...role, token_ttl: 6, token_explicit_max_ttl: 6 });
  await set('auth/jwt/role/short', { ...role, token_ttl: 8 });
  await set('auth/jwt/role/other', { ...role, bound_claims: { project_path: 'another/project' } });
  await set('auth/jwt/role/elsewhere', { ...role, bound_audiences: ['https://elsewhere'] });
  await set('auth/jwt/role/mapped', { ...role, claim_mappings: { job_config: 'config' }, bound_claims: {} });
  await set('ops/data/production/db', { data: { password: PASSWORD, user: 'db-user-of-production' } });
  await set('ops/data/staging/db', { data: { password: PASSWORD } });
  await set('old/production/db', { password: 'the-older-password' });
}

/** Writes a file into a work directory of its own, and runs a script under it. */
function execArgs(config: string, script: string, ...more: string[]) {
  const cwd = workDirectory();
  writeFileSync(join(cwd, 'agent-config.yml'), config);
  const args = ['exec', '--grant', '-', '--config', 'agent-config.yml', ...more, '--', 'sh', '-c', script];
  return { cwd, args };
}

const vaultEnv = (more: Record<string, string> = {}) => ({
  VAULT_SERVER_URL: vault.url,
  VAULT_AUTH_ROLE: 'ci',
  ...more,
});

async function execConfig(config: string, script: string, env = vaultEnv(), ...more: string[]) {
  const { cwd, args } = execArgs(config, script, ...more);
  return await runMayfly(args, { cwd, env, input: grant });
}

const TOKEN = 'id_tokens: { VAULT_ID_TOKEN: { aud: https://vault.example.com } }\n';

test('tokens and secrets of agent-config.yml are in the environment of the command, and masked in its output', async () => {
  const config = `
id_tokens:
  VAULT_ID_TOKEN:
    aud: https://vault.example.com
  AWS_ID_TOKEN:
    aud: https://aws.example.com
secrets:
  DB_PASSWORD:
    vault: production/db/password@ops
    token: $VAULT_ID_TOKEN
    file: false
  DB_USER:
    vault: { engine: { name: kv-v2, path: ops }, path: production/db, field: user }
    token: $VAULT_ID_TOKEN
  OLD:
    vault: { engine: { name: kv-v1, path: old }, path: production/db, field: password }
    token: \${VAULT_ID_TOKEN}
network_policy: { allowed_domains: [example.com] }
`;
  const script = `
    echo "$VAULT_ID_TOKEN"; cat "$AWS_ID_TOKEN_FILE"; echo; echo "$DB_PASSWORD"; echo "$(cat "$DB_USER" "$OLD")"
    echo \${#DB_PASSWORD} $(wc -c < "$DB_USER") $(stat -c %a "$DB_USER") $(cat "$OLD" | sha256sum | cut -c1-8)
    echo "$AWS_ID_TOKEN" | cut -d. -f2 | tr _- /+ | base64 -d 2>/dev/null | grep -o '"aud":"[^"]*"'`;

  const env = vaultEnv({ VAULT_ID_TOKEN: 'set outside, and not what the file declares' });
  const { code, stdout, stderr } = await execConfig(config, script, env);

  const digest = await hexDigest('the-older-password');
  expect({ code, stderr }).toEqual({
    code: 0,
    stderr: 'mayfly: VAULT_ID_TOKEN is set already and is replaced by what the file of --config declares\n',
  });
  expect(stdout.split('\n')).toEqual([
    ...['***', '***', '***', '***'],
    `${PASSWORD.length} 21 600 ${digest.slice(0, 8)}`,
    '"aud":"https://aws.example.com"',
    '',
  ]);
  expect(await vault.tokens()).toEqual([]);
});

test('a flow gets what its file declares and nothing else, not even the way to more', async () => {
  await ci.start({ id: '303', idTokens: { OTHER: { aud: 'https://aws.example.com' } }, build: BUILD });
  const input = JSON.stringify(await ci.heard('303'));
  const { cwd, args } = execArgs('image: alpine\n', 'env');

  const { code, stdout } = await runMayfly(args, { cwd, input });

  expect(code).toBe(0);
  const names = stdout.split('\n').map((line) => line.split('=')[0]);
  expect(names.filter((name) => /TOKEN|OTHER|VAULT/.test(name ?? ''))).toEqual([]);
});

test('a job of .gitlab-ci.yml has its own declarations, those of default beneath, and the variables of the file', async () => {
  const config = `
variables: { VAULT_SERVER_URL: ${vault.url}, VAULT_AUTH_ROLE: { value: ci, description: who we are }, STAGE: production }
default: { id_tokens: { VAULT_ID_TOKEN: { aud: [https://vault.example.com, https://aws.example.com] } } }
deploy:
  secrets: { PASSWORD: { vault: $STAGE/db/password@ops } }
  script: [./deploy]
`;

  const { code, stdout, stderr } = await execConfig(
    config,
    'wc -c < "$PASSWORD"',
    {} as never,
    '--job',
    'deploy',
  );

  expect({ code, stderr, stdout: stdout.trim() }).toEqual({
    code: 0,
    stderr: '',
    stdout: `${PASSWORD.length}`,
  });
});

test('an audience is expanded from the file, then from the build, not from the runner, and held against policy', async () => {
  const config = `
variables: { SERVER: nothing.example }
job:
  variables: { SERVER: vault.$CI_SERVER_HOST }
  id_tokens: { T: { aud: https://vault.$CI_SERVER_HOST }, U: { aud: https://$SERVER } }
`;
  const script = `for t in $T $U; do echo "$t" | cut -d. -f2 | tr _- /+ | base64 -d 2>/dev/null | grep -o '"aud":"[^"]*"'; done`;
  const env = { CI_SERVER_HOST: 'evil.example', SERVER: 'evil.example' } as never;

  const { stdout } = await execConfig(config, script, env, '--job', 'job');
  const refused = await execConfig(config.replace('vault.$CI', 'other.$CI'), 'echo ran', env, '--job', 'job');

  expect(stdout).toBe('"aud":"https://vault.gitlab.example.com"\n'.repeat(2));
  expect(refused).toMatchObject({ code: 4, stdout: '' });
});

test('the Vault lease is renewed while the command runs, and the Vault token revoked when it ends', async () => {
  const config = `${TOKEN}secrets: { P: { vault: production/db/password@ops } }\n`;
  const { cwd, args } = execArgs(config, 'exec sleep 60');
  const { child, ended, runtime } = startMayfly(args, {
    cwd,
    env: vaultEnv({ VAULT_AUTH_ROLE: 'short' }),
    input: grant,
  });

  const accessor = await eventually(async () => (await vault.tokens())[0], 'login');
  const renewed = async () => {
    const { body } = await vault.asRoot('POST', 'auth/token/lookup-accessor', { accessor });
    return body.data?.['last_renewal_time'] !== undefined && body.data;
  };
  expect(await eventually(renewed, 'renewal', 40_000)).toMatchObject({
    meta: { project_path: 'my-group/my-project', role: 'short' },
  });
  child.kill('SIGTERM');

  expect((await ended).code).toBe(143);
  expect(await vault.tokens()).toEqual([]);
  expect(readdirSync(runtime)).toEqual([]);
});

test('a Vault token whose longest life is over ends no command, which keeps what was read', async () => {
  const config = `${TOKEN}secrets: { P: { vault: production/db/password@ops, file: false } }\n`;
  const { cwd, args } = execArgs(
    config,
    ': > began; until [ -e over ]; do sleep 0.1; done; printf %s "$P" | wc -c; exit 7',
  );
  const { ended } = startMayfly(args, { cwd, env: vaultEnv({ VAULT_AUTH_ROLE: 'ending' }), input: grant });
  await eventually(async () => existsSync(join(cwd, 'began')), 'login');

  await eventually(async () => (await vault.tokens()).length === 0, 'end of the Vault token', 40_000);
  writeFileSync(join(cwd, 'over'), '');

  const { code, stdout, stderr } = await ended;
  expect({ code, stdout: stdout.trim() }).toEqual({ code: 7, stdout: `${PASSWORD.length}` });
  expect(stderr).not.toContain('not revoked');
});

test.concurrent.for([
  ['nope', 'role "nope" could not be found'],
  ['other', 'claim "project_path" does not match any associated bound claim values'],
  ['elsewhere', 'audience claim does not match any expected audience'],
] as const)(
  'a login that Vault refuses is told in its own words, without the token: %s',
  async ([role, said]) => {
    const config = `${TOKEN}secrets: { P: { vault: production/db/password@ops } }\n`;

    const { code, stdout, stderr } = await execConfig(
      config,
      'echo ran',
      vaultEnv({ VAULT_AUTH_ROLE: role }),
    );

    expect({ code, stdout }).toEqual({ code: 4, stdout: '' });
    expect(stderr).toContain(said);
    expect(stderr).toMatch(/^mayfly: [^\n]*\n$/);
    expect(stderr).not.toMatch(/eyJ|[\w-]{30,}/);
  },
);

test('a claim that is no string fails the login of a role that maps it', async () => {
  await ci.start({
    id: '304',
    idTokens: {},
    build: { ...BUILD, job: { config_url: 'https://git.example.com/p.yml' } },
  });
  const input = JSON.stringify(await ci.heard('304'));
  const { cwd, args } = execArgs(
    `${TOKEN}secrets: { P: { vault: production/db/password@ops } }\n`,
    'echo ran',
  );

  const { code, stderr } = await runMayfly(args, {
    cwd,
    input,
    env: vaultEnv({ VAULT_AUTH_ROLE: 'mapped' }),
  });

  expect(code).toBe(4);
  expect(stderr).toMatch(/job_config|to string/);
});

test.concurrent.for([
  ['a secret that is not there', 'production/none/password@ops', 3, 'there is no secret ops/production/none'],
  ['a field that is not there', 'production/db/nothing@ops', 3, 'has no field nothing'],
  ['a secret that is forbidden', 'staging/db/password@ops', 4, 'permission denied'],
  ['a mount of another kind', 'production/db/password@old', 4, 'old/production/db'],
  ['a path that leads elsewhere', '../sys/mounts/x/y@ops', 3, 'may not hold'],
  ['a variable that is not set', '$NOWHERE/db/password@ops', 3, 'names $NOWHERE'],
] as const)('%s is told in one line, and the command does not run', async ([, vaultPath, exit, said]) => {
  const config = `${TOKEN}secrets: { P: { vault: ${vaultPath} } }\n`;

  const { code, stdout, stderr } = await execConfig(config, 'echo ran');

  expect({ code, stdout }).toEqual({ code: exit, stdout: '' });
  expect(stderr).toContain(said);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

test('every login has been revoked, also where a secret could not be read', async () => {
  expect(await vault.tokens()).toEqual([]);
});

test('a namespace is sent with every request, and one that is not there is refused in the words of Vault', async (context) => {
  const { status } = await vault.asRoot('POST', 'sys/namespaces/team-a', {});
  if (status >= 400) return skip(context, 'this Vault has no namespaces');
  await prepareVault('team-a');
  await vault.asRoot('POST', 'ops/data/production/db', { data: { password: 'only-of-team-a' } }, 'team-a');
  const config = `${TOKEN}secrets: { P: { vault: production/db/password@ops } }\n`;

  const own = await execConfig(config, 'wc -c < "$P"', vaultEnv({ VAULT_NAMESPACE: '/team-a/' }));
  const none = await execConfig(config, 'echo ran', vaultEnv({ VAULT_NAMESPACE: 'nowhere' }));

  expect([own.code, own.stdout.trim()]).toEqual([0, '14']);
  expect([none.code, none.stderr]).toEqual([4, expect.stringContaining('namespace not found')]);
});

test('a Vault that is sealed, or not there, is told apart from one that refuses', async () => {
  const config = `${TOKEN}secrets: { P: { vault: production/db/password@ops } }\n`;
  const gone = await execConfig(
    config,
    'echo ran',
    vaultEnv({ VAULT_SERVER_URL: 'http://127.0.0.1:1' }),
    '--timeout',
    '0',
  );
  await vault.asRoot('PUT', 'sys/seal');
  const sealed = await execConfig(config, 'echo ran', vaultEnv(), '--timeout', '0');

  expect([gone.code, gone.stderr]).toEqual([5, expect.stringContaining('cannot be reached')]);
  expect([sealed.code, sealed.stderr]).toEqual([5, expect.stringMatching(/Vault is sealed/)]);
});

async function hexDigest(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}
