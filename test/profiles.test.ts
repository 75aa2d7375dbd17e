import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Build } from '@mayfly/contracts/build';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { PROFILES_DIR } from '@mayfly/profiles/read';
import { createRemoteJWKSet, decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { runMayfly, script } from './exec-mayfly.ts';
import { isActive, knownActive, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const API = 'https://api.example.com';

/** Each profile, a build of its system, and the fields of the reply in which its runners look for the token. */
const PROFILES = [
  ['mayfly', 'environment', 'value'],
  ['vela', 'branch', 'token'],
  ['concourse', 'default', 'token'],
  ['gitlab', 'branch', 'token'],
  ['github', 'branch-immutable', 'value'],
  ['buildkite', 'branch', 'token'],
  ['n8n', 'manual', 'value'],
] as const;

/** What differs from one token to the next. */
const OF_THE_MOMENT = ['aud', 'exp', 'iat', 'nbf', 'jti'];

const root = fileURLToPath(new URL('..', import.meta.url));
/** The folder of an operator who copied one profile and changed it; mayfly.yaml names it. */
const profiles = mkdtempSync(join(tmpdir(), 'mayfly-profiles-'));

let system: TestSystem;
beforeAll(async () => {
  const ours = readFileSync(join(PROFILES_DIR, 'mayfly.yaml'), 'utf8')
    .replace('name: mayfly', 'name: ours')
    .replace('  source: source\n', '  source: source\n  team: { from: labels, type: object }\n')
    .replaceAll("'repo:{repository.id}", "'code:{repository.id}")
    .replaceAll('ACTIONS_ID_TOKEN', 'OUR_ID_TOKEN')
    .replace('[MAYFLY_ID_TOKEN]', '[OUR_ID_TOKEN]');
  writeFileSync(join(profiles, 'ours.yaml'), ours);
  const names = [...PROFILES.map(([name]) => name), 'ours'];
  const sources = names.map((name) => `  ${name}: { profile: ${name}, audiences: [${API}] }`);
  const policy = `profiles: ${profiles}\nsources:\n${sources.join('\n')}\nrelying_parties:\n  api: { audiences: [${API}] }\n`;
  system = await testSystem({ policy });
});
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  rmSync(profiles, { recursive: true });
});

type Golden = { build: Build; ask: { audience: string | string[] }; claims: Record<string, unknown> };

const goldenOf = (name: string, kind: string) => {
  const file = new URL(`../packages/profiles/golden/${name}/${kind}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Golden;
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The claims that a token has beyond its golden, or in another form: issuer's own, and so none of a CI system's. */
function beyond(said: JWTPayload, golden: Record<string, unknown>): string[] {
  const more = Object.keys(said).filter((claim) => claim !== 'iss' && !Object.hasOwn(golden, claim));
  const isTheirs = UUID.test(`${said.jti}`) === UUID.test(`${golden['jti']}`);
  return isTheirs ? more : [...more, 'jti'];
}

/** The claims at which a line of a profile's header begins: `# - `claim` …`. */
function listedIn(name: string): Set<string> {
  const [header = ''] = readFileSync(join(PROFILES_DIR, `${name}.yaml`), 'utf8').split('\nname:');
  return new Set([...header.matchAll(/^# - `([a-z_]+)`/gm)].map(([, claim]) => claim as string));
}

test.for(PROFILES)(
  'a source with profile %s has tokens as its system issues them, active while the build runs',
  async ([name, kind, field]) => {
    await using ci = await connectCi(system, name);
    const { build, claims } = goldenOf(name, kind);
    const issuer = issuerUrl(system.baseUrl, name);

    await ci.start({ id: build.id, build: onlyThose(build), idTokens: { API_TOKEN: { aud: API } } });
    const grant = await ci.heard(build.id);
    const token = grant.data.id_tokens['API_TOKEN'] as string;

    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));
    const { payload } = await jwtVerify(token, keys, { issuer, audience: API, typ: 'JWT' });
    const { iss: _, status, ...said } = payload;
    const lasting = (all: object) =>
      Object.fromEntries(Object.entries(all).filter(([claim]) => !OF_THE_MOMENT.includes(claim)));
    expect(lasting(said)).toEqual(lasting({ ...claims, ...(claims['source'] ? { source: name } : {}) }));
    expect(Array.isArray(payload.aud)).toBe(Array.isArray(claims['aud']));
    expect(status).toMatchObject({ status_list: { idx: expect.any(Number) } });
    expect(listedIn(name)).toEqual(new Set(beyond(payload, claims)));

    const { status: code, body } = await requestToken(system, grant, `audience=${encodeURIComponent(API)}`);
    expect([code, decodeJwt(body[field] as string).sub]).toEqual([200, payload.sub]);
    expect(await knownActive(system, token, { source: name })).toBe(true);
    await ci.finish(build.id, build.attempt);
    await eventually(async () => (await isActive(system, token, { source: name })) === false, 'end');
  },
);

test('a profile that an operator copied, changed and named in mayfly.yaml is used like those that ship', async () => {
  await using ci = await connectCi(system, 'ours');

  await ci.start({ id: 'own', build: { labels: { team: 'payments' } } });
  const token = (await ci.heard('own')).data.id_tokens['API_TOKEN'] as string;

  expect(decodeJwt(token)).toMatchObject({
    sub: 'code:456789:ref:refs/heads/main',
    team: { team: 'payments' },
  });
  expect(await knownActive(system, token, { source: 'ours' })).toBe(true);
});

test('a step finds its tokens under the names that a profile of the operator has', async () => {
  await using ci = await connectCi(system, 'ours');
  await ci.start({ id: 'named' });
  const grant = await ci.heard('named');
  const code = `
    const { OUR_ID_TOKEN, API_TOKEN, OUR_ID_TOKEN_REQUEST_URL: url, OUR_ID_TOKEN_REQUEST_TOKEN: token, ...rest } = process.env
    fetch(url + '&audience=${API}', { headers: { authorization: 'Bearer ' + token } })
      .then(({ status }) => console.log(status, OUR_ID_TOKEN === API_TOKEN, 'ACTIONS_ID_TOKEN_REQUEST_URL' in rest))`;

  const result = await runMayfly(['exec', '--grant', '-', ...script(code)], { input: JSON.stringify(grant) });

  expect(result).toMatchObject({ code: 0, stdout: '200 true false\n', stderr: '' });
});

test('a build that lacks a fact which its profile needs gets no token, and its grant and its requests name the fact', async () => {
  await using ci = await connectCi(system, 'vela');
  const { build } = goldenOf('vela', 'branch');
  const id_token_errors = {
    API_TOKEN: {
      error: 'invalid_request',
      error_description: expect.stringContaining('build lacks actor.login'),
    },
  };

  await ci.start({ id: 'lacks', build: onlyThose({ ...build, id: 'lacks', actor: { id: '1' } }) });
  const { data, ...envelope } = await ci.heard('lacks');
  const asked = await requestToken(system, { ...envelope, data }, `audience=${encodeURIComponent(API)}`);

  expect(data).toMatchObject({ id_tokens: {}, id_token_errors });
  expect([asked.status, asked.body]).toEqual([400, id_token_errors.API_TOKEN]);
});

test('issuer does not start with a policy or a profile that cannot work, and names every fault with its line', () => {
  const policy =
    'sources:\n  a:\n    audiences: [x]\n    subject: team\n  b:\n    audiences: [x]\n    profile: jenkins\n';
  writeFileSync(join(profiles, 'broken.yaml'), 'name: broken\nsubjects: {}\n');
  writeFileSync(join(profiles, 'unmoored.yaml'), 'name: unmoored\nclaims: *nope\n');

  expect(startIssuer(policy)).toEqual([
    1,
    expect.stringMatching(
      /^issuer: \S+mayfly\.yaml:4: sources\.a\.subject must be one of default, .*; \S+mayfly\.yaml:7: sources\.b\.profile names no profile that is there\n$/,
    ),
  ]);
  const faulty = `${policy.replace('jenkins', 'broken')}  c:\n    audiences: [x]\n    profile: unmoored\n`;
  expect(startIssuer(faulty)).toEqual([
    1,
    expect.stringMatching(
      /^issuer: \S+broken\.yaml:1: must have required properties .*; \S+unmoored\.yaml:2: \*nope has no anchor before it; \S+mayfly\.yaml:4: sources\.a\.subject .*\n$/,
    ),
  ]);
});

/** Starts issuer alone with a policy; gives its exit code and what it says. */
function startIssuer(policy: string): [number | null, string] {
  const secret = join(profiles, 'secret');
  const file = join(mkdtempSync(join(profiles, 'policy-')), 'mayfly.yaml');
  const sources = join(profiles, 'sources.json');
  writeFileSync(secret, '0'.repeat(64));
  writeFileSync(
    sources,
    JSON.stringify(Object.fromEntries(['a', 'b', 'c'].map((name) => [name, '0'.repeat(64)]))),
  );
  writeFileSync(file, policy);
  const env = {
    ...{ MAYFLY_CONFIG: file, PROFILES_DIR: profiles, BASE_URL: API, REQUEST_URL: API },
    ...{ PORT: '0', OPS_PORT: '0' },
    ...{ NATS_URL: 'nats://127.0.0.1:1', NATS_USER: 'issuer', NATS_PASSWORD_FILE: secret },
    ...{ REDIS_URL: 'redis://127.0.0.1:1', REDIS_USER: 'issuer', REDIS_PASSWORD_FILE: secret },
    ...{ SOURCES_FILE: sources, REQUEST_TOKEN_KEY_FILE: secret },
  };
  const main = join(root, 'services/issuer/src/main.ts');
  const { status, stderr } = spawnSync(process.execPath, [main], { env, encoding: 'utf8', timeout: 20_000 });
  return [status, stderr];
}

/** The build as it is, without the facts of the plain one that a test's build has otherwise. */
function onlyThose(build: Build): Partial<Build> {
  const plain = [
    'number',
    'organization',
    'repository',
    'pipeline',
    'ref',
    'ref_type',
    'sha',
    'event',
    'actor',
  ];
  const absent = Object.fromEntries(plain.map((field) => [field, undefined]));
  return { ...absent, ...build } as Partial<Build>;
}
