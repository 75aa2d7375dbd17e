import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { given, runMayfly, script, temporaryDirectory } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';

/** A step that asks as `curl` would; what it prints of the answer is what `print` says. */
const asking = (print: string, init = '{}') =>
  script(`
    const { MAYFLY_ID_TOKEN_REQUEST_URL: url, MAYFLY_ID_TOKEN_REQUEST_TOKEN: token } = process.env
    const init = ${init}
    fetch(url + '&audience=vault', { ...init, headers: { authorization: 'Bearer ' + token, ...init.headers } })
      .then(async (answer) => ({ status: answer.status, headers: answer.headers, body: await answer.json() }))
      .then(({ status, headers, body }) => { ${print} })`);

test('a token that the command fetches itself is masked before the command has it', async () => {
  await using issuer = await startStandInIssuer();

  const { stdout } = await runMayfly(
    ['exec', ...asking('console.log(status, body.value, Buffer.from(body.token).toString("base64"))')],
    { env: given(issuer) },
  );

  expect(issuer.given).toHaveLength(1);
  expect(stdout).toMatch(/^200 \*\*\* \*\*\*=*\n$/);
});

test('a client written for Vela, which appends ?audience= to the address, gets its token too', async () => {
  await using issuer = await startStandInIssuer();
  const code = `
    const { VELA_ID_TOKEN_REQUEST_URL: url, VELA_ID_TOKEN_REQUEST_TOKEN: token } = process.env
    const ask = (method) => fetch(url + '?audience=artifactory', { method, headers: { authorization: 'Bearer ' + token } })
    Promise.all([ask('GET'), ask('POST')]).then((all) => console.log(all.map(({ status }) => status).join()))`;

  const { stdout } = await runMayfly(['exec', ...script(code)], { env: given(issuer) });

  expect(stdout).toBe('200,200\n');
  expect(issuer.asked.map(({ searchParams }) => searchParams.get('audience'))).toEqual([
    'artifactory',
    'artifactory',
  ]);
});

test('the scheme of the request token may be written in any case, as some clients of GitHub do', async () => {
  await using issuer = await startStandInIssuer();
  const code = `
    const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: token } = process.env
    const ask = (authorization) => fetch(url + '&audience=sigstore', { headers: { authorization } })
    Promise.all(['bearer ' + token, 'BEARER ' + token, token, 'basic ' + token].map(ask)).then((all) =>
      console.log(all.map(({ status }) => status).join()))`;

  const { stdout } = await runMayfly(['exec', ...script(code)], { env: given(issuer) });

  expect(stdout).toBe('200,200,401,401\n');
});

test('the request token of the grant is in no variable of the command, and what stands there is worth nothing elsewhere', async () => {
  await using issuer = await startStandInIssuer();
  const { requestUrl, requestToken } = issuer;
  const code = `
    const all = Object.values(process.env), given = process.env.VELA_ID_TOKEN_REQUEST_TOKEN
    fetch('${requestUrl}&audience=a', { headers: { authorization: 'Bearer ' + given } }).then(({ status }) =>
      console.log(all.includes(Buffer.from('${Buffer.from(requestToken).toString('hex')}', 'hex').toString()), status))`;
  const env = {
    ...given(issuer),
    ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
  };

  const { stdout, stderr } = await runMayfly(['exec', ...script(code)], { env });

  expect({ stdout, stderr }).toEqual({ stdout: 'false 401\n', stderr: '' });
});

test('the request token of the grant is in no variable of the command under a name that nobody told us either, and one that held it goes on working', async () => {
  await using issuer = await startStandInIssuer();
  const { requestUrl, requestToken } = issuer;
  const code = `
    const { ACME_URL: url, ACME_KEY: token, ...all } = process.env, hex = '${Buffer.from(requestToken).toString('hex')}'
    const isThere = Object.values({ ...all, token }).some((value) => Buffer.from(value).toString('hex').includes(hex))
    fetch(url + '&audience=a', { headers: { authorization: 'Bearer ' + token } }).then(({ status }) =>
      console.log(isThere, status, url === all.MAYFLY_ID_TOKEN_REQUEST_URL, JSON.parse(all.GRANT).token === token))`;
  const env = {
    ...given(issuer),
    ACTIONS_ID_TOKEN_REQUEST_URL: 'http://localhost:1/token?elsewhere',
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
    ACME_URL: requestUrl,
    ACME_KEY: requestToken,
    GRANT: JSON.stringify({ token: requestToken }),
  };

  const { stdout, stderr } = await runMayfly(['exec', ...script(code)], { env });

  expect({ stdout, stderr }).toEqual({ stdout: 'false 200 true true\n', stderr: '' });
});

test.each([[], ['--no-relay']])(
  'with --config there is no way to more tokens in any variable %j',
  async (...options) => {
    await using issuer = await startStandInIssuer();
    const file = join(temporaryDirectory(), 'agent-config.yml');
    writeFileSync(file, 'id_tokens:\n  API_TOKEN:\n    aud: https://api.example\n');
    const { requestToken } = issuer;
    const code = `
    const hex = '${Buffer.from(requestToken).toString('hex')}', names = Object.keys(process.env).filter((name) => /REQUEST|ACME/.test(name))
    console.log(Object.values(process.env).some((value) => Buffer.from(value).toString('hex').includes(hex)), names.length, Boolean(process.env.API_TOKEN))`;
    const env = { ...given(issuer), ACME_KEY: requestToken };

    const { stdout, stderr } = await runMayfly(['exec', '--config', file, ...options, ...script(code)], {
      env,
    });

    expect({ stdout, stderr }).toEqual({ stdout: 'false 0 true\n', stderr: '' });
  },
);

test('without the token of its step nobody gets anything at the relay, and only tokens are to be had there', async () => {
  await using issuer = await startStandInIssuer();
  const code = `
    const { MAYFLY_ID_TOKEN_REQUEST_URL: url, MAYFLY_ID_TOKEN_REQUEST_TOKEN: token } = process.env
    const ask = (url, token, method = 'GET') =>
      fetch(url, { method, headers: { authorization: 'Bearer ' + token } }).then(({ status }) => status)
    Promise.all([
      ask(url + '&audience=a', token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A')),
      ask(url + '&audience=a', ''),
      ask(url.replace('/token', '/admin'), token),
      ask(url.replace('/token', '/leak'), token),
      ask(url + '&audience=a', token, 'DELETE'),
    ]).then((all) => console.log(all.join()))`;

  const { stdout } = await runMayfly(['exec', ...script(code)], { env: given(issuer) });

  expect(stdout).toBe('401,401,404,404,404\n');
  expect(issuer.asked).toEqual([]);
});

test('what the issuer refuses, and for how long it is busy, reaches the command as the issuer said it', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.refusesNext = 1;

  const busy = await runMayfly(
    ['exec', ...asking('console.log(status, headers.get("retry-after"), body.error)')],
    { env: given(issuer) },
  );
  issuer.state.isFinished = true;
  const finished = await runMayfly(['exec', ...asking('console.log(status, body.error)')], {
    env: given(issuer),
  });

  expect(busy.stdout).toBe('503 0 temporarily_unavailable\n');
  expect(finished.stdout).toBe('401 invalid_token\n');
});

test('while the issuer cannot be reached the command is told to come again', async () => {
  const { env } = await goneIssuer();

  const { stdout } = await runMayfly(
    ['exec', ...asking('console.log(status, headers.get("retry-after"), body.error)')],
    { env },
  );

  expect(stdout).toBe('503 1 temporarily_unavailable\n');
});

test('an answer in which no token can be found, so that none could be masked, is not handed on', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.answers = { value: 'h.e.l.l.o', nested: 'secret-of-another-form' };

  const { stdout } = await runMayfly(['exec', ...asking('console.log(status, JSON.stringify(body))')], {
    env: given(issuer),
  });

  expect(stdout).toMatch(/^502 .*gives no token"}\n$/);
  expect(stdout).not.toContain('another-form');
});

test('a token that cannot be masked is not handed out', async () => {
  await using issuer = await startStandInIssuer();
  const many = Array.from({ length: 90 }, (_, at) => `secret line number ${at * 7919}`).join('\n');
  const code = `
    const { MAYFLY_ID_TOKEN_REQUEST_URL: url, MAYFLY_ID_TOKEN_REQUEST_TOKEN: token } = process.env
    const ask = async () => (await fetch(url + '&audience=a', { headers: { authorization: 'Bearer ' + token } })).status
    ;(async () => {
      for (let asked = 0; asked < 2000; asked++) {
        const status = await ask()
        if (status !== 200) return console.log(asked > 100, status)
      }
    })()`;

  const {
    code: exit,
    stdout,
    stderr,
  } = await runMayfly(['exec', '--mask', 'MANY', ...script(code)], {
    env: { ...given(issuer), MANY: many },
  });

  expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'true 500\n' });
  expect(stderr).toBe('mayfly: a token that the command asked for cannot be masked: it was not handed out\n');
}, 120_000);

test('a relay of a relay serves too, and a token is masked on the way', async () => {
  await using issuer = await startStandInIssuer();
  const inner = ['exec', '--id-token', 'VAULT=vault', ...script('console.log(process.env.VAULT)')];
  const main = `${import.meta.dirname}/main.ts`;

  const { stdout, runtimeDirectory } = await runMayfly(
    ['exec', '--', process.execPath, main, ...inner.map(String)],
    { env: given(issuer) },
  );

  expect(stdout).toBe('***\n');
  expect(readdirSync(runtimeDirectory)).toEqual([]);
});

test('where the user has set one of two names the other one is left alone, and a proxy is told to leave us alone', async () => {
  await using issuer = await startStandInIssuer();
  const env = {
    ...given(issuer),
    ACTIONS_ID_TOKEN_REQUEST_URL: 'https://of.another.example/?x=1',
    http_proxy: 'http://proxy.example:3128',
    NO_PROXY: 'internal.example',
  };
  const code =
    'const e = process.env; console.log(e.ACTIONS_ID_TOKEN_REQUEST_URL, e.ACTIONS_ID_TOKEN_REQUEST_TOKEN, e.NO_PROXY, e.no_proxy)';

  const { stdout, stderr } = await runMayfly(['exec', ...script(code)], { env });

  const exempted = 'internal.example,127.0.0.1';
  expect(stdout).toBe(`https://of.another.example/?x=1 undefined ${exempted} ${exempted}\n`);
  expect(stderr).toContain('mayfly: ACTIONS_ID_TOKEN_REQUEST_URL is set already');
});

test('with --no-relay the command gets the way to the issuer itself', async () => {
  await using issuer = await startStandInIssuer();

  const { stdout } = await runMayfly(
    ['exec', '--no-relay', ...script('console.log(process.env.VELA_ID_TOKEN_REQUEST_URL)')],
    { env: given(issuer) },
  );

  expect(stdout).toBe(`${issuer.requestUrl}\n`);
});

async function goneIssuer() {
  await using issuer = await startStandInIssuer();
  return { env: given(issuer) };
}
