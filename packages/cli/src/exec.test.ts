import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { eventually, given, runMayfly, script, startMayfly, temporaryDirectory } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';

const printFacts = script(`
  const fs = require('fs'), path = process.env.VAULT_FILE
  console.log(JSON.stringify({
    same: fs.readFileSync(path, 'utf8') === process.env.VAULT,
    mode: (fs.statSync(path).mode & 0o777).toString(8),
    directory: (fs.statSync(require('path').dirname(path)).mode & 0o777).toString(8),
    path, length: process.env.VAULT.length,
  }))`);

test('a declared token is in $NAME and in a private file at $NAME_FILE, which is gone afterwards', async () => {
  await using issuer = await startStandInIssuer();
  const input = JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' }));

  const { code, stdout, stderr, runtimeDirectory } = await runMayfly(
    ['exec', '--grant', '-', ...printFacts],
    { input },
  );

  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const facts = JSON.parse(stdout);
  expect(facts).toMatchObject({ same: true, mode: '600', directory: '700', length: issuer.given[0]?.length });
  expect(facts.path.startsWith(`${runtimeDirectory}/mayfly-`)).toBe(true);
  expect(readdirSync(runtimeDirectory)).toEqual([]);
});

test.each(['MAYFLY', 'ACTIONS', 'VELA'])(
  'a grant under the names of %s is found, and offered under all three',
  async (prefix) => {
    await using issuer = await startStandInIssuer();
    const env = {
      [`${prefix}_ID_TOKEN_REQUEST_URL`]: issuer.requestUrl,
      [`${prefix}_ID_TOKEN_REQUEST_TOKEN`]: issuer.requestToken,
    };
    const code = `
    const all = ['MAYFLY', 'ACTIONS', 'VELA'].map((name) => [process.env[name + '_ID_TOKEN_REQUEST_URL'], process.env[name + '_ID_TOKEN_REQUEST_TOKEN'].length])
    console.log(JSON.stringify([all, process.env.VAULT.split('.').length]))`;

    const result = await runMayfly(['exec', '--id-token', 'VAULT=https://vault.example', ...script(code)], {
      env,
    });

    const [[one, ...others], parts] = JSON.parse(result.stdout);
    expect(one).toEqual([
      expect.stringMatching(/^http:.*\/token\?api-version=1$/),
      issuer.requestToken.length,
    ]);
    expect([others, parts]).toEqual([[one, one], 3]);
    expect(issuer.asked[0]?.searchParams.get('audience')).toBe('https://vault.example');
  },
);

test('a token of the grant that --config does not hand over is masked all the same', async () => {
  await using issuer = await startStandInIssuer();
  const directory = temporaryDirectory();
  const [grant, config] = ['grant.json', 'config.yml'].map((name) => join(directory, name)) as [
    string,
    string,
  ];
  writeFileSync(grant, JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' })));
  writeFileSync(config, 'image: alpine\n');

  const { stdout } = await runMayfly(['exec', '--grant', grant, '--config', config, '--', 'cat', grant]);

  expect(issuer.given[0]).toMatch(/^eyJ/);
  expect(stdout).toContain('"VAULT":"***"');
  expect(stdout).not.toContain(issuer.given[0]);
});

test('a grant is read from a file; that of a token is replaced while the command runs, and the new token is masked too', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.lifetimeSeconds = 3;
  const grant = join(temporaryDirectory(), 'grant.json');
  writeFileSync(grant, JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' })));
  const code = `
    const fs = require('fs'), file = process.env.VAULT_FILE
    const read = () => fs.readFileSync(file, 'utf8')
    const timer = setInterval(() => { if (read() !== process.env.VAULT) { clearInterval(timer); console.log('new: ' + read()) } }, 10)`;

  const { stdout } = await runMayfly(['exec', '--grant', grant, ...script(code)]);

  expect(stdout).toBe('new: ***\n');
  expect(issuer.given.length).toBeGreaterThanOrEqual(2);
});

test('what --id-token names wins over a declared token of that name, also when it has been replaced, with a warning', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.lifetimeSeconds = 2;
  const input = JSON.stringify(issuer.grant({ VAULT: 'declared' }));
  const code = `
    const fs = require('fs'), seen = new Set()
    const audience = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64')).aud
    const timer = setInterval(() => {
      seen.add(fs.readFileSync(process.env.VAULT_FILE, 'utf8'))
      if (seen.size === 3) { clearInterval(timer); console.log([process.env.VAULT, ...seen].map(audience).join()) }
    }, 10)`;

  const { stdout, stderr } = await runMayfly(
    ['exec', '--grant', '-', '--id-token', 'VAULT=asked', ...script(code)],
    { input },
  );

  expect(stdout).toBe('asked,asked,asked,asked\n');
  expect(issuer.asked.map((url) => url.searchParams.get('audience'))).not.toContain('declared');
  expect(stderr).toBe('mayfly: VAULT is declared by the build and is replaced by what --id-token asks for\n');
});

test('a refresh is tried again while the issuer cannot answer, and given up when the build is over', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.lifetimeSeconds = 2;
  const { output, child, ended } = startMayfly(
    ['exec', '--grant', '-', ...script("console.log('ready'); setInterval(() => {}, 1000)")],
    {
      input: JSON.stringify(issuer.grant({ VAULT: 'https://vault.example' })),
    },
  );
  await eventually(() => output.stdout.includes('ready'));
  issuer.state.refusesNext = 2;
  await eventually(() => issuer.state.refusesNext === 0);
  const before = issuer.given.length;
  await eventually(() => issuer.given.length > before);

  issuer.state.isFinished = true;
  await eventually(() => output.stderr.includes('invalid_token'));
  child.kill('SIGTERM');

  expect((await ended).code).toBe(143);
  expect(output.stderr.match(/could not be refreshed/g)).toHaveLength(3);
}, 30_000);

test('exit code, standard input and arguments pass through', async () => {
  await using issuer = await startStandInIssuer();
  const code =
    'process.stdin.on("data", (d) => process.stdout.write(d)).on("end", () => { console.error(process.argv[1]); process.exitCode = 42 })';

  const result = await runMayfly(['exec', ...script(code), 'a b'], { env: given(issuer), input: 'hello' });

  expect(result).toMatchObject({ code: 42, stdout: 'hello', stderr: 'a b\n' });
});

test('a signal reaches the command, and the files are gone whether it heeds it or dies of it', async () => {
  await using issuer = await startStandInIssuer();
  for (const [handler, code] of [
    ['process.on("SIGTERM", () => process.exit(7));', 7],
    ['', 143],
  ] as const) {
    const { child, output, ended, runtimeDirectory } = startMayfly(
      [
        'exec',
        '--id-token',
        'VAULT=v',
        ...script(`${handler} setInterval(() => {}, 1000); console.log('ready')`),
      ],
      { env: given(issuer) },
    );
    await eventually(() => output.stdout.includes('ready'));
    expect(readdirSync(runtimeDirectory)).toHaveLength(1);

    child.kill('SIGTERM');

    expect((await ended).code).toBe(code);
    expect(readdirSync(runtimeDirectory)).toEqual([]);
  }
});

test('every signal that a runner may send reaches the command', async () => {
  await using issuer = await startStandInIssuer();
  const signals = ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const;
  const code = `for (const name of ${JSON.stringify(signals)}) process.on(name, () => console.log(name))
    process.stdin.on('end', () => process.exit()).resume(); console.log('ready')`;
  const { child, output, ended } = startMayfly(['exec', ...script(code)], { env: given(issuer) });
  await eventually(() => output.stdout.includes('ready'));

  for (const signal of signals) {
    child.kill(signal);
    await eventually(() => output.stdout.includes(signal));
  }
  child.stdin.end();

  expect(await ended).toMatchObject({ code: 0, stdout: `${['ready', ...signals].join('\n')}\n` });
});

test('a signal before the command runs ends the wait for the issuer', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.refusesNext = Number.POSITIVE_INFINITY;
  const { child, ended, runtimeDirectory } = startMayfly(['exec', '--id-token', 'VAULT=v', '--', 'true'], {
    env: given(issuer),
  });
  await eventually(() => issuer.asked.length > 0);

  child.kill('SIGINT');

  expect((await ended).code).toBe(130);
  expect(readdirSync(runtimeDirectory)).toEqual([]);
});

test('token files are never below the work directory', async () => {
  await using issuer = await startStandInIssuer();
  const cwd = temporaryDirectory();
  const env = { ...given(issuer), XDG_RUNTIME_DIR: cwd, TMPDIR: cwd };

  const { stdout } = await runMayfly(
    ['exec', '--id-token', 'V=v', ...script('console.log(process.env.V_FILE)')],
    { env, cwd },
  );

  expect(stdout).toMatch(/^\/dev\/shm\/mayfly-/);
  expect(readdirSync(cwd)).toEqual([]);
});
