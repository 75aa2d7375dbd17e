import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { freePort } from '@mayfly/infra/processes';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually } from './ci.ts';
import { codeOf, endOf, followGuide, linesOf } from './guides.ts';
import { answerOf, isActive, knownActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const GUIDE = 'any-ci-in-twenty-lines.md';
const API = 'https://api.example.com';
const POLICY = `
sources:
  ci: { audiences: [${API}] }
relying_parties:
  api: { audiences: [${API}] }
`;

let system: TestSystem;
let env: Record<string, string>;
const api = createServer();
const calls: { token: string; active: boolean | undefined; repository: unknown }[] = [];
beforeAll(async () => {
  system = await testSystem({ policy: POLICY });
  api.on('request', answerAsApi).listen(0, '127.0.0.1');
  await once(api, 'listening');
  env = {
    NATS_URL: system.natsUrl,
    NATS_PASSWORD: system.secret('nats-ci-ci'),
    EVENTS_URL: system.urlOf('build-lifecycle'),
    ISSUER_URL: system.urlOf('issuer'),
    SOURCE_SECRET: system.secret('source-ci'),
    API_URL: `http://127.0.0.1:${(api.address() as AddressInfo).port}/`,
  };
});
afterAll(async () => {
  api.close();
  await system[Symbol.asyncDispose]();
});

/** The API that the guide's build calls: it verifies the token, asks whether its build runs, and says the token back. */
async function answerAsApi(
  request: import('node:http').IncomingMessage,
  response: import('node:http').ServerResponse,
) {
  const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
  const issuer = issuerUrl(system.baseUrl, 'ci');
  const keySet = createRemoteJWKSet(new URL(`${issuer}/jwks`));
  const { payload } = await jwtVerify(token, keySet, { issuer, audience: API });
  const active = await isActive(system, token, { source: 'ci' });
  calls.push({ token, active, repository: payload['repository'] });
  response.end(`done as ${token}\n`);
}

test.for([
  ['NATS', 'ci.mjs', 'node'],
  ['curl', 'ci.sh', 'sh'],
] as const)(
  'a CI of twenty lines gives its build a token with %s, that is dead when it is over',
  async ([, file, interpreter]) => {
    const from = calls.length;

    const followed = followGuide(GUIDE);
    appendFileSync(join(followed.directory, 'build.sh'), 'env | cut -d= -f1 | sort | tr "\\n" " "\n');
    const { code, output } = await endOf(followed.run([interpreter, file], env));

    expect(output).toContain('API_TOKEN ');
    expect(output).not.toMatch(file === 'ci.mjs' ? /NATS_PASSWORD/ : /SOURCE_SECRET/);
    expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining('done as ***\n') });
    expect(calls.slice(from)).toEqual([
      { token: expect.stringMatching(/^eyJ/), active: true, repository: 'octo/hello' },
    ]);
    const { token } = calls.at(-1) as { token: string };
    await eventually(
      async () => (await isActive(system, token, { source: 'ci' })) === false,
      'end of the token',
    );
    expect(linesOf(codeOf(GUIDE)[file] ?? '')).toBeLessThanOrEqual(20);
  },
);

test.for([
  ['ci.mjs', 'node'],
  ['ci.sh', 'sh'],
] as const)(
  '%s that is cancelled says that its build is finished all the same',
  async ([file, interpreter]) => {
    const from = calls.length;
    const followed = followGuide(GUIDE);
    appendFileSync(join(followed.directory, 'build.sh'), 'exec sleep 60\n');
    const child = followed.run([interpreter, file], env);
    const ended = endOf(child);
    const { token } = await eventually(() => calls[from], 'call of the API');
    const isRunning = () => isActive(system, token, { source: 'ci' });
    expect(await knownActive(system, token, { source: 'ci' })).toBe(true);

    process.kill(-(child.pid as number), 'SIGTERM');

    await ended;
    await eventually(async () => (await isRunning()) === false, 'end of the token');
  },
);

test('what Tekton says of its runs is said on, and the same event twice is one', async () => {
  const port = await freePort();
  const child = followGuide(GUIDE).run(['node', 'tekton.mjs'], { ...env, PORT: String(port) });
  const ended = endOf(child);
  const uid = randomUUID();
  const annotations = { 'mayfly.dev/id-tokens': JSON.stringify({ API_TOKEN: { aud: API } }) };
  const pipelineRun = {
    metadata: { uid, namespace: 'team-a', name: 'run-1', annotations },
    spec: { pipelineRef: { name: 'deploy' } },
  };
  const send = (state: string, id = randomUUID()) =>
    fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: {
        'ce-specversion': '1.0',
        'ce-type': `dev.tekton.event.pipelinerun.${state}.v1`,
        'ce-id': id,
        'ce-time': new Date().toISOString(),
        'content-type': 'application/json',
      },
      body: JSON.stringify({ pipelineRun }),
    }).then(
      ({ status }) => status,
      () => undefined,
    );
  const id = randomUUID();

  await eventually(() => send('started', id), 'answer');
  expect([await send('started', id), await send('running'), await send('unknown')]).toEqual([202, 202, 202]);
  const url = `http://127.0.0.1:${port}/`;
  expect((await fetch(url)).status).toBe(202);
  const headers = { 'ce-type': 'dev.tekton.event.pipelinerun.started.v1' };
  expect((await fetch(url, { method: 'POST', headers, body: '{' })).status).toBe(503);
  const grant = await eventually(() => askGrant(uid), 'grant');
  expect(await knownActive(system, grant, { source: 'ci' })).toBe(true);
  expect(await send('successful')).toBe(202);
  await eventually(async () => (await isActive(system, grant, { source: 'ci' })) === false, 'end');

  child.kill('SIGTERM');
  await ended;
});

async function askGrant(id: string): Promise<string | undefined> {
  const authorization = `Basic ${Buffer.from(`ci:${env['SOURCE_SECRET']}`).toString('base64')}`;
  const headers = { authorization, 'content-type': 'application/json' };
  const init = { method: 'POST', headers, body: JSON.stringify({ id }) };
  const { status, body } = await answerOf(await fetch(`${env['ISSUER_URL']}/grant`, init));
  const { id_tokens: tokens } = (body['data'] ?? {}) as { id_tokens?: Record<string, string> };
  return status === 200 ? tokens?.['API_TOKEN'] : undefined;
}
