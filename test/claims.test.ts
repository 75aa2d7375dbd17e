import type { Build } from '@mayfly/contracts/build';
import { writeBuildReference } from '@mayfly/contracts/build-reference';
import type { TokenGrant } from '@mayfly/contracts/events';
import { Redis } from 'ioredis';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi } from './ci.ts';
import { type Answer, answerOf, knownActive, knownAnswer, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const API = 'https://api.example.com';
const AWS = 'sts.amazonaws.com';
const TAGS = 'https://aws.amazon.com/tags';
const POLICY = `
sources:
  acme: # our own profile, and everything that it offers
    audiences: [${API}, ${AWS}, https://vault.*]
    lifetime: 5m
    max_lifetime: 15m
  strict: # the same profile, and little of what it offers
    audiences: [${API}]
    optional_claims: [task]
    subject_claims: [pipeline]
    session_tags: [repository]
  open: { audiences: [${API}], forks: allow }
  lab: { profile: gitlab, audiences: [${API}, ${AWS}] }
  few: { audiences: [${API}], max_tokens: 5 }
relying_parties:
  api: { audiences: [${API}] }
`;

let system: TestSystem;
const cis = new Map<string, Ci>();
beforeAll(async () => {
  system = await testSystem({ policy: POLICY, replicas: 2 });
});
afterAll(async () => {
  for (const ci of cis.values()) await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

/** What a build of GitLab always has. */
const OF_GITLAB: Partial<Build> = {
  ...{ pipeline: { id: '574' }, job: { id: '302' }, runner: { environment: 'self-hosted' } },
  repository: {
    ...{ id: '22', name: 'my-group/my-project', visibility: 'private' },
    owner: { id: '72', name: 'my-group' },
  },
  actor: { id: '42', login: 'octocat' },
};

type Declared = Parameters<Ci['start']>[0]['idTokens'];

async function run(source: string, id: string, build: Partial<Build> = {}, idTokens?: Declared) {
  const ci = cis.get(source) ?? (await connectCi(system, source));
  cis.set(source, ci);
  await ci.start({ id, build, ...(idTokens ? { idTokens } : {}) });
  return (await ci.heard(id)) satisfies TokenGrant;
}

const query = (asked: Record<string, string>) => new URLSearchParams({ audience: API, ...asked }).toString();
const ask = (grant: TokenGrant, asked: Record<string, string>, at = 'issuer') =>
  requestToken(system, grant, query(asked), { at });
const claimsOf = ({ body }: Answer) => decodeJwt(body['value'] as string);
const post = ({ data }: TokenGrant, body: string, type: string) =>
  knownAnswer(async () =>
    answerOf(
      await fetch(`${system.urlOf('issuer')}/token`, {
        method: 'POST',
        headers: { authorization: `Bearer ${data.id_token_request_token}`, 'content-type': type },
        body,
      }),
    ),
  );

test('a runner may ask for a lifetime, optional claims, another subject and AWS session tags, by GET or by POST', async () => {
  const grant = await run('acme', 'more', { task: { name: 'unit' } });
  const asked = {
    lifetime: '600',
    claims: 'task actor_email',
    subject_claim: 'repository',
    aws_session_tags: 'repository,ref',
  };
  const expected = {
    ...{ sub: 'repo:456789', task: 'unit', actor_email: '' },
    [TAGS]: { principal_tags: { repository: ['octo/hello'], ref: ['refs/heads/main'] } },
  };

  const answers = [
    await ask(grant, asked),
    await post(grant, query(asked), 'application/x-www-form-urlencoded'),
    await post(
      grant,
      JSON.stringify({
        audience: API,
        ...{ lifetime: 600, claims: ['task', 'actor_email'], subject_claim: 'repository' },
        aws_session_tags: ['repository', 'ref'],
      }),
      'application/json',
    ),
  ];

  for (const answer of answers) {
    expect(answer.status).toBe(200);
    const claims = claimsOf(answer);
    expect(claims).toMatchObject(expected);
    expect((claims.exp as number) - (claims.iat as number)).toBe(600);
    expect(await knownActive(system, answer.body['value'] as string)).toBe(true);
  }
});

test('what is not asked for is not in a token', async () => {
  const claims = claimsOf(await ask(await run('acme', 'plain', { task: { name: 'unit' } }), {}));

  expect(claims.sub).toBe('repo:456789:ref:refs/heads/main');
  expect(claims).not.toHaveProperty('task');
  expect(claims).not.toHaveProperty([TAGS]);
});

test.for([
  ['a lifetime over the ceiling', { lifetime: '301' }, 'from 10 to 300'],
  ['a lifetime that is no number', { lifetime: '5m' }, 'whole number of seconds'],
  ['an optional claim', { claims: 'actor_email' }, 'allowed: task'],
  ['a claim that there is not', { claims: 'admin' }, 'allowed: task'],
  ['a subject', { subject_claim: 'repository' }, 'allowed: pipeline'],
  ['a session tag', { aws_session_tags: 'ref' }, 'allowed: repository'],
  ['an audience', { audience: AWS }, `allowed: ${API}`],
] as const)(
  'asking for %s that policy does not allow is answered 400, saying what is allowed',
  async ([what, asked, allowed], { task }) => {
    const grant = await run('strict', task.id.replaceAll(/[^A-Za-z0-9]/g, ''));

    const { status, body } = await ask(grant, asked);

    expect([what, status]).toEqual([what, 400]);
    expect(body['error']).toBe('audience' in asked ? 'invalid_target' : 'invalid_request');
    expect(body['error_description']).toContain(allowed);
  },
);

test('a build of a fork gets nothing, by push or on request, unless policy allows forks; then its tokens say so', async () => {
  const fork = { source_repository: { id: '666', name: 'mallory/hello' } };

  const denied = await run('acme', 'fork', fork);
  expect(denied.data.id_tokens).toEqual({});
  expect(denied.data.id_token_errors?.['API_TOKEN']?.error).toBe('access_denied');
  expect((await ask(denied, {})).status).toBe(403);

  const allowed = await run('open', 'fork', fork);
  expect(decodeJwt(allowed.data.id_tokens['API_TOKEN'] as string)).toMatchObject({
    sub: 'repo:456789:fork:666:ref:refs/heads/main',
    fork: 'true',
  });
});

test('variables in an audience are replaced from the build, and what they make is checked', async () => {
  const build = { variables: { HOST: 'example.com', EVIL: 'x' }, environment: { name: 'prod' } };
  const { data } = await run('acme', 'variables', build, {
    A: { aud: 'https://vault.$HOST' },
    B: { aud: `https://vault.\${environment}.\${HOST}` },
    C: { aud: 'https://$EVIL.example' },
    D: { aud: 'https://vault.$ABSENT' },
  });

  const audiences = Object.entries(data.id_tokens).map(([name, token]) => [name, decodeJwt(token).aud]);
  expect(Object.fromEntries(audiences)).toEqual({
    A: 'https://vault.example.com',
    B: 'https://vault.prod.example.com',
  });
  expect(data.id_token_errors).toEqual({
    C: { error: 'invalid_target', error_description: expect.stringContaining('not allowed') },
    D: { error: 'invalid_target', error_description: 'audience names ABSENT, which the build lacks' },
  });
});

test('several audiences stand in one token where the profile allows it, and nowhere else', async () => {
  const declared = { BOTH: { aud: [API, AWS] }, ONE: { aud: [API] } };

  const lab = await run('lab', 'several', OF_GITLAB, declared);
  expect(decodeJwt(lab.data.id_tokens['BOTH'] as string).aud).toEqual([API, AWS]);
  expect(decodeJwt(lab.data.id_tokens['ONE'] as string).aud).toEqual([API]);
  expect(await knownActive(system, lab.data.id_tokens['BOTH'] as string, { source: 'lab' })).toBe(true);

  const acme = await run('acme', 'several', {}, declared);
  expect(acme.data.id_token_errors?.['BOTH']?.error).toBe('invalid_target');
  expect(decodeJwt(acme.data.id_tokens['ONE'] as string).aud).toBe(API);
});

test('a build has a thousand tokens where policy does not say how many', async () => {
  const grant = await run('acme', 'thousand');
  const password = system.secret('redis-operator');
  const redis = new Redis(system.redisUrl, { username: 'operator', password });
  const key = `issued:${writeBuildReference({ source: 'acme', id: 'thousand', attempt: 1 })}`;
  const counted = await redis.get(key);
  await redis.set(key, '989');

  const statuses: number[] = [];
  for (let times = 0; times < 11; times++) statuses.push((await ask(grant, {})).status);

  const left = await redis.pttl(key);
  redis.disconnect();
  // The token that the build declared is the first of the thousand; what is asked for is counted in tens.
  expect([counted, ...statuses]).toEqual([null, ...Array(10).fill(200), 403]);
  expect(left).toBeGreaterThan(3_000_000);
});

test('a list of one audience is a list where the profile keeps the form that was asked for', async () => {
  const lab = await run('lab', 'listed', OF_GITLAB);

  const bodies = [{ audience: [API] }, { audience: API }];
  const answers = await Promise.all(
    bodies.map((body) => post(lab, JSON.stringify(body), 'application/json')),
  );

  expect(answers.map((answer) => claimsOf(answer).aud)).toEqual([[API], API]);
});

test('a build has as many tokens as policy says over all replicas, however they are asked for, and a refusal costs none', async () => {
  const grant = await run('few', 'budget');
  expect(Object.keys(grant.data.id_tokens)).toEqual(['API_TOKEN']);
  for (const at of ['issuer', 'issuer-2'])
    expect((await ask(grant, { audience: 'https://evil.example' }, at)).status).toBe(400);

  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, index) => ask(grant, {}, index % 2 ? 'issuer' : 'issuer-2')),
  );

  expect(answers.filter(({ status }) => status === 200)).toHaveLength(4);
  const refused = answers.filter(({ status }) => status === 403).map(({ body }) => body);
  expect(refused).toHaveLength(16);
  expect(new Set(refused.map((body) => body['error_description']))).toEqual(
    new Set(['a build of this source may have 5 tokens']),
  );
  expect((await ask(await run('few', 'another'), {})).status).toBe(200);
});
