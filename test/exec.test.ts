import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi, eventually } from './ci.ts';
import { grantedEnvironment, runMayfly, script, startMayfly, verified } from './exec-mayfly.ts';
import { introspect, isActive } from './relying-party.ts';
import { type TestSystem, testSystem } from './system.ts';

const API = 'https://api.example.com';
const POLICY = `
sources:
  acme: { audiences: [${API}], lifetime: 5m, max_lifetime: 15m, build_timeout: 1h }
relying_parties:
  api: { audiences: [${API}] }
`;

let system: TestSystem;
let acme: Ci;
let place: string;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'mayfly-exec-test-'));
  system = await testSystem({ policy: POLICY });
  acme = await connectCi(system);
});
afterAll(async () => {
  await acme[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

async function granted(id: string) {
  await acme.start({ id });
  return await acme.heard(id);
}

test.concurrent('a step that asks for a token itself is given one that verifies, is masked at once, and never sees the request token', async () => {
  const grant = await granted('asks');
  const seen = join(place, 'asked');
  const code = `
    const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = process.env
    fetch(url + '&audience=' + encodeURIComponent('${API}'), { headers: { authorization: 'Bearer ' + token } })
      .then((answer) => answer.json())
      .then(({ value, expires_at }) => {
        require('fs').writeFileSync(process.argv[1], JSON.stringify({ value, environment: Object.values(process.env) }))
        console.log(value, expires_at > 0)
      })`;

  const result = await runMayfly(['exec', ...script(code), seen], { env: grantedEnvironment(grant) });

  expect(result).toMatchObject({ code: 0, stdout: '*** true\n', stderr: '' });
  const { value, environment } = JSON.parse(readFileSync(seen, 'utf8'));
  expect(await verified(system, value)).toMatchObject({ aud: API, repository_id: '456789' });
  expect(environment).not.toContain(grant.data.id_token_request_token);
});

test.concurrent('a declared token is in $NAME and in $NAME_FILE, and verifies against the key set', async () => {
  const grant = await granted('declared');
  const seen = join(place, 'declared');
  const code = `
    const { API_TOKEN, API_TOKEN_FILE } = process.env, fs = require('fs')
    fs.writeFileSync(process.argv[1], JSON.stringify([API_TOKEN, fs.readFileSync(API_TOKEN_FILE, 'utf8')]))`;

  await runMayfly(['exec', '--grant', '-', ...script(code), seen], { input: JSON.stringify(grant) });

  const [variable, file] = JSON.parse(readFileSync(seen, 'utf8'));
  expect(file).toBe(variable);
  expect(await verified(system, variable)).toMatchObject({ aud: API, repository_id: '456789' });
});

test.concurrent('mayfly token prints a token that verifies, with the lifetime that was asked', async () => {
  const grant = await granted('prints');
  const args = ['token', '--audience', API, '--lifetime', '600', '--format', 'json'];

  const { code, stdout } = await runMayfly(args, { env: grantedEnvironment(grant, 'VELA') });

  const { token, expires_at } = JSON.parse(stdout);
  const { iat, exp } = await verified(system, token);
  expect({ code, exp, life: (exp as number) - (iat as number) }).toEqual({
    code: 0,
    exp: expires_at,
    life: 600,
  });
});

test.concurrent('after the build has finished a step does not begin and no token is printed: one line, exit code 4', async () => {
  const grant = await granted('finished');
  const token = grant.data.id_tokens['API_TOKEN'] as string;
  await acme.finish('finished');
  await eventually(async () => (await isActive(system, token)) === false, 'end of the build');
  const env = grantedEnvironment(grant);

  const step = await runMayfly(['exec', '--id-token', `V=${API}`, '--', 'echo', 'begun'], { env });
  const printed = await runMayfly(['token', '--audience', API], { env });

  for (const result of [step, printed]) {
    expect(result).toMatchObject({ code: 4, stdout: '' });
    expect(result.stderr).toMatch(/^mayfly: [^\n]*\(invalid_token: [^\n]*start a new build\n$/);
  }
});

test.concurrent('a token that leaks in a form that cannot be masked ends the build: every token of it dies, the running step too', async () => {
  const grant = await granted('leaky');
  const code = `console.log(process.env.API_TOKEN.split('').join(' ')); setInterval(() => {}, 1000)`;
  await using step = startMayfly(['exec', '--grant', '-', ...script(code)], { input: JSON.stringify(grant) });
  const token = grant.data.id_tokens['API_TOKEN'] as string;

  const isDead = async () => (await isActive(system, token)) === false;
  await eventually(isDead, 'death of the token', 30_000);

  const asked = await runMayfly(['token', '--audience', API], { env: grantedEnvironment(grant) });
  expect(asked).toMatchObject({ code: 4, stdout: '' });
  expect(step.output.stderr).toContain('spaced out');
  expect((await introspect(system, token)).body).toEqual({ active: false });
});

test.concurrent('a step ended by a signal leaves no file behind, and its exit code says which', async () => {
  const grant = await granted('signalled');
  const code = `console.log(process.env.API_TOKEN_FILE); setInterval(() => {}, 1000)`;
  await using step = startMayfly(['exec', '--grant', '-', ...script(code)], { input: JSON.stringify(grant) });
  await eventually(() => step.output.stdout.endsWith('\n'), 'line of the step');

  step.child.kill('SIGTERM');

  expect((await step.ended).code).toBe(143);
  expect(() => readdirSync(step.output.stdout.trim())).toThrow(/ENOENT/);
});

test('while the issuer is away a step waits for it no longer than it was told: one line, exit code 5', async () => {
  const grant = await granted('away');
  await system.kill('issuer');
  try {
    const args = ['exec', '--timeout', '1', '--id-token', `V=${API}`, '--', 'echo', 'begun'];
    const result = await runMayfly(args, { env: grantedEnvironment(grant) });

    expect(result).toMatchObject({ code: 5, stdout: '' });
    expect(result.stderr).toMatch(/^mayfly: the issuer at \S+ cannot be reached \(\w+\)[^\n]*\n$/);
  } finally {
    await system.start('issuer');
  }
});
