import { expect, test } from 'vitest';
import { given, runMayfly, script } from './run-in-test.ts';
import { startStandInIssuer } from './stand-in-issuer.ts';

test('what the user has set under the same name wins, with a warning', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), VAULT: 'my own', AWS_WEB_IDENTITY_TOKEN_FILE: '/my/own' };
  const code = 'console.log(process.env.VAULT, process.env.AWS_WEB_IDENTITY_TOKEN_FILE)';
  const args = ['--id-token', 'VAULT=v', '--aws-role', 'arn:aws:iam::1:role/r'];

  const { stdout, stderr } = await runMayfly(['exec', ...args, ...script(code)], { env });

  expect(stdout).toBe('my own /my/own\n');
  expect(stderr).toContain('mayfly: VAULT is set already and stays as it is');
  expect(stderr).toContain('mayfly: AWS_WEB_IDENTITY_TOKEN_FILE is set already');
});

test('the three clouds find what their SDKs read', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), AZURE_CLIENT_ID: 'client', AZURE_TENANT_ID: 'tenant' };
  const args = ['--aws-role', 'arn:aws:iam::1:role/r', '--google-provider', 'projects/1/p', '--azure'];
  const code = `
    const { readFileSync } = require('fs'), e = process.env
    const google = JSON.parse(readFileSync(e.GOOGLE_APPLICATION_CREDENTIALS))
    const audience = (file) => JSON.parse(Buffer.from(readFileSync(file, 'utf8').split('.')[1], 'base64')).aud
    console.log(JSON.stringify({ google, audiences: [e.AWS_WEB_IDENTITY_TOKEN_FILE, google.credential_source.file, e.AZURE_FEDERATED_TOKEN_FILE].map(audience),
      rest: [e.AWS_ROLE_ARN, e.AWS_ROLE_SESSION_NAME, e.AZURE_CLIENT_ID, e.AZURE_TENANT_ID] }))`;

  const { stdout } = await runMayfly(['exec', ...args, ...script(code)], { env });

  const { google, audiences, rest } = JSON.parse(stdout);
  expect(audiences).toEqual([
    'sts.amazonaws.com',
    'https://iam.googleapis.com/projects/1/p',
    'api://AzureADTokenExchange',
  ]);
  expect(rest).toEqual(['arn:aws:iam::1:role/r', 'mayfly-42', 'client', 'tenant']);
  expect(google).toMatchObject({
    type: 'external_account',
    audience: '//iam.googleapis.com/projects/1/p',
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
  });
});

test("the command for Google's SDK prints a token, which is masked before it is printed", async () => {
  await using issuer = await startStandInIssuer();
  const args = ['--google-provider', 'projects/1/p', '--google-executable'];
  const code = `
    const { command } = JSON.parse(require('fs').readFileSync(process.env.GOOGLE_APPLICATION_CREDENTIALS)).credential_source.executable
    const answer = JSON.parse(require('child_process').execSync(command))
    console.log(answer.token_type, answer.success, answer.version, answer.expiration_time > 0, answer.id_token)`;

  const { stdout } = await runMayfly(['exec', ...args, ...script(code)], { env: given(issuer) });

  expect(stdout).toBe('urn:ietf:params:oauth:token-type:jwt true 1 true ***\n');
});

test('every variable that is set is named in the help', async () => {
  await using issuer = await startStandInIssuer();
  const args = [
    '--aws-role',
    'r',
    '--google-provider',
    'p',
    '--google-executable',
    '--azure',
    ...script('console.log(Object.keys(process.env).join())'),
  ];

  const before = ['PATH', 'XDG_RUNTIME_DIR', ...Object.keys(given(issuer))];
  const { stdout } = await runMayfly(['exec', ...args], { env: given(issuer) });
  const { stdout: help } = await runMayfly(['exec', '--help']);

  const added = stdout
    .trim()
    .split(',')
    .filter((name) => !before.includes(name));
  expect(added.length).toBeGreaterThan(8);
  expect(added.filter((name) => !help.includes(name))).toEqual([]);
});
