import { readFileSync } from 'node:fs';
import type { Build } from '@mayfly/contracts/build';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectCi, eventually } from './ci.ts';
import { isActive, requestToken } from './relying-party.ts';
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

let system: TestSystem;
beforeAll(async () => {
  const sources = PROFILES.map(([name]) => `  ${name}: { profile: ${name}, audiences: [${API}] }`);
  const policy = `sources:\n${sources.join('\n')}\nrelying_parties:\n  api: { audiences: [${API}] }\n`;
  system = await testSystem({ policy });
});
afterAll(() => system[Symbol.asyncDispose]());

type Golden = { build: Build; ask: { audience: string | string[] }; claims: Record<string, unknown> };

const goldenOf = (name: string, kind: string) => {
  const file = new URL(`../packages/profiles/golden/${name}/${kind}.json`, import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')) as Golden;
};

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

    const { status: code, body } = await requestToken(system, grant, `audience=${encodeURIComponent(API)}`);
    expect([code, decodeJwt(body[field] as string).sub]).toEqual([200, payload.sub]);
    expect(await isActive(system, token, { source: name })).toBe(true);
    await ci.finish(build.id, build.attempt);
    await eventually(async () => (await isActive(system, token, { source: name })) === false, 'end');
  },
);

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
