import type { TokenGrant } from '@mayfly/contracts/events';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { ISSUER_ROUTES } from '@mayfly/contracts/schema-routes-issuer';
import { decodeJwt } from 'jose';
import { allowInsecureRequests, discovery, genericGrantRequest, None } from 'openid-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { faultsOfBody } from './documented.ts';
import { answerOf, knownActive, knownAnswer, requestToken } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const AUDIENCE = `audience=${encodeURIComponent('https://api.example.com')}`;
let system: TestSystem;
let ci: Ci;
let grant: TokenGrant;
beforeAll(async () => {
  system = await testSystem();
  ci = await connectCi(system);
  await ci.start({ id: 'pull' });
  grant = await ci.heard('pull');
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
});

test('a runner gets a token for an audience with its request token, in the fields that GitHub and Vela use', async () => {
  const { status, body, headers, text } = await requestToken(system, grant, AUDIENCE);

  expect(status).toBe(200);
  // RFC 7493 §2.3: readers of other kinds than ours refuse a name that is there twice.
  expect(text.match(/"value":|"token":/g)).toHaveLength(2);
  expect(faultsOfBody(ISSUER_ROUTES, '/token', body)).toEqual([]);
  expect(body['value']).toBe(body['token']);
  expect(decodeJwt(body['value'] as string).exp).toBe(body['expires_at']);
  expect(headers.get('cache-control')).toBe('no-store');
  expect(await knownActive(system, body['value'] as string)).toBe(true);
});

test('the grant that discovery promises is to be had: a token exchange with the request token', async () => {
  const discovered = await fetch(`${issuerUrl(system.baseUrl, 'acme')}/.well-known/openid-configuration`);
  const metadata = (await discovered.json()) as { token_endpoint: string; grant_types_supported: string[] };
  const [grantType = ''] = metadata.grant_types_supported;
  const exchange = (fields: Record<string, string>) =>
    knownAnswer(async () => {
      const form = {
        grant_type: grantType,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      };
      const body = new URLSearchParams({ ...form, audience: 'https://api.example.com', ...fields });
      return answerOf(await fetch(metadata.token_endpoint, { method: 'POST', body }));
    });
  const subject = grant.data.id_token_request_token;

  const { status, body } = await exchange({ subject_token: subject });
  expect([status, body]).toEqual([
    200,
    {
      access_token: expect.any(String),
      issued_token_type: 'urn:ietf:params:oauth:token-type:id_token',
      token_type: 'N_A',
      expires_in: expect.any(Number),
    },
  ]);
  expect(body['expires_in']).toBeGreaterThan(290);
  const byPost = ISSUER_ROUTES.filter(({ methods }) => methods.includes('post'));
  expect(faultsOfBody(byPost, '/token', body)).toEqual([]);
  expect(await knownActive(system, body['access_token'] as string)).toBe(true);

  const refused = [
    await exchange({ subject_token: `${subject.slice(0, -2)}AA` }),
    await exchange({}),
    await exchange({ subject_token: subject, grant_type: 'client_credentials' }),
    await exchange({
      subject_token: subject,
      requested_token_type: 'urn:ietf:params:oauth:token-type:saml2',
    }),
    await exchange({ subject_token: subject, audience: 'https://evil.example' }),
    await exchange({ subject_token: subject, resource: 'x' }),
  ];
  expect(refused.map(({ status: code, body: said }) => `${code} ${said['error']}`)).toEqual([
    ...['400 invalid_request', '400 invalid_request', '400 unsupported_grant_type', '400 invalid_request'],
    ...['400 invalid_target', '400 invalid_request'],
  ]);

  // As a stock client asks, which says a client_id too.
  const server = new URL(issuerUrl(system.baseUrl, 'acme'));
  const client = await discovery(server, 'anyone', undefined, None(), { execute: [allowInsecureRequests] });
  const asked = { subject_token: subject, audience: 'https://api.example.com' };
  const { access_token: token } = await genericGrantRequest(client, grantType, {
    ...asked,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  });
  expect(await knownActive(system, token)).toBe(true);
});

test('the address in a grant holds a question mark, so that clients which append &audience= work', () => {
  expect(grant.data.id_token_request_url).toContain('?');
});

test.for([
  ['as clients written for GitHub append it', '&', 'GET'],
  ['as clients written for Vela append it', '?', 'GET'],
  ['as clients written for Vela append it, by POST', '?', 'POST'],
] as const)('the audience is read %s', async ([, sign, method]) => {
  const { id_token_request_url: url, id_token_request_token: token } = grant.data;

  const headers = { authorization: `Bearer ${token}` };
  const { status, body } = await knownAnswer(async () =>
    answerOf(await fetch(`${url}${sign}audience=sts.amazonaws.com`, { method, headers })),
  );

  expect([status, decodeJwt(body['value'] as string).aud]).toEqual([200, 'sts.amazonaws.com']);
});

test.for([
  ['what nobody may ask for', 'lifetme=600', 'lifetme cannot be asked for; allowed: audience, lifetime'],
  ['two lifetimes', 'lifetime=60&lifetime=600', 'lifetime is given more than once'],
] as const)('a request for %s is answered 400, which names it', async ([, asked, named]) => {
  const { status, body } = await requestToken(system, grant, `${AUDIENCE}&${asked}`);

  expect([status, body['error']]).toEqual([400, 'invalid_request']);
  expect(body['error_description']).toContain(named);
});

test.for([
  ['no request token', ''],
  ['one that is none', 'mfr_x'],
  ['one of a build that never was', 'mfr_YWNtZS8xL25vbmU_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'],
])('%s is answered 401', async ([, token]) => {
  const { status, body } = await requestToken(system, grant, AUDIENCE, { token: token as string });

  expect([status, body['error']]).toEqual([401, 'invalid_token']);
});

test('a request token with one character changed is answered 401', async () => {
  const token = grant.data.id_token_request_token;
  const changed = token.slice(0, -2) + (token.at(-2) === 'A' ? 'B' : 'A') + token.slice(-1);

  expect((await requestToken(system, grant, AUDIENCE, { token: changed })).status).toBe(401);
});

test('an ID token is no request token', async () => {
  const token = grant.data.id_tokens['API_TOKEN'] as string;

  expect((await requestToken(system, grant, AUDIENCE, { token })).status).toBe(401);
});

test('an audience that policy does not allow is answered 400 invalid_target, naming those that are', async () => {
  const { status, body } = await requestToken(system, grant, 'audience=https%3A%2F%2Fevil.example');

  expect([status, body['error']]).toEqual([400, 'invalid_target']);
  expect(body['error_description']).toContain('sts.amazonaws.com');
});

test('a request without an audience is answered 400', async () => {
  expect((await requestToken(system, grant, '')).status).toBe(400);
});

test('after its build finished the request token buys nothing more', async () => {
  await ci.start({ id: 'short' });
  const short = await ci.heard('short');

  await ci.finish('short');

  await eventually(async () => (await requestToken(system, short, AUDIENCE)).status === 401, '401');
});
