import { expect, test } from 'vitest';
import { EVENT, runInProcess as runMayfly, workDirectory } from './trust-in-test.ts';

test('check takes the audience that the policy is usually for, and says which', async () => {
  const policy = (aud: string) => ({
    Version: '2012-10-17',
    Statement: {
      Effect: 'Allow',
      Action: 'sts:AssumeRoleWithWebIdentity',
      Principal: { Federated: 'arn:aws:iam::1:oidc-provider/id.example/ci' },
      Condition: {
        StringEquals: { 'id.example/ci:aud': aud, 'id.example/ci:sub': 'repo:7:ref:refs/heads/main' },
      },
    },
  });
  const role = (...bound_audiences: string[]) =>
    JSON.stringify({
      role_type: 'jwt',
      user_claim: 'sub',
      bound_subject: 'repo:7:ref:refs/heads/main',
      bound_audiences,
    });
  const aws = JSON.stringify(policy('sts.amazonaws.com'));
  const full = { Role: { RoleName: 'x', AssumeRolePolicyDocument: encodeURIComponent(aws) } };
  const cwd = workDirectory();
  const check = async (input: string, ...more: string[]) => {
    const args = ['trust', 'check', '-', '--event', 'started.json', ...more];
    const { code, stdout, stderr } = await runMayfly(args, { cwd, input });
    return `${code} ${stdout.split('\n')[0]}${stderr.split('\n')[0]}`;
  };

  expect(await check(aws)).toBe('0 Admitted, for the audience sts.amazonaws.com, the usual one of AWS');
  expect(await check(JSON.stringify(full))).toMatch(/^0 Admitted/);
  expect(await check(JSON.stringify(full.Role))).toMatch(/^0 Admitted/);
  expect(await check(encodeURIComponent(aws))).toMatch(/^0 Admitted/);
  expect(await check(JSON.stringify(encodeURIComponent(aws)))).toMatch(/^0 Admitted/);
  expect(await check(aws, '--audience', 'https://vault.example')).toMatch(
    /^4 REFUSED, for the audience https:/,
  );
  expect(await check(role('https://vault.example'))).toBe(
    '0 Admitted, for the audience https://vault.example, the one of bound_audiences',
  );
  expect(await check(role('a', 'https://vault.example'))).toMatch(/^0 Admitted/);
  expect(await check(role())).toMatch(/^4 REFUSED, for the audience https:.*, which the build declares/);
  expect(await check(role('a', 'b'))).toMatch(/^4 .*several bound_audiences \(a, b\): say with --audience/);
});

test.each(['', '\uFEFF', '{}', '[]', 'null', 'hello', '{"Role":{}}', '{"Version":"2012-10-17"}'])(
  'a text that is no policy is told first, with what to give: %j',
  async (input) => {
    const args = ['trust', 'check', '-', '--event', 'none.json'];

    const { code, stderr } = await runMayfly(args, { cwd: workDirectory(), input });

    expect([code, stderr]).toEqual([3, expect.stringMatching(/the policy .*: give an AWS trust policy/)]);
  },
);

test.each<[string[], RegExp]>([
  [['trust', 'aws', '--issuer', 'nonsense'], /^3 .*nonsense is no issuer: give --issuer https:/],
  [['explain', '--issuer', 'https://id.example/ci/'], /^3 .*is no issuer: give --issuer https:/],
  [['trust', 'aws', '--lifetime', '5m'], /^2 .*5m is no number of seconds: write it in digits/],
  [['trust', 'aws', '--lifetime', '0'], /^3 .*from 10 to 300: ask for 10 or more/],
  [['trust', 'aws', '--audience', 'a', '--audience', 'b'], /^4 .*audience is not allowed; .*: add it to/],
  [
    ['trust', 'check', 'role.json', '--audience', 'a'],
    /^4 .*: add it to sources\.ci\.audiences in mayfly\.yaml/,
  ],
  [
    ['trust', 'vault', '--event', 'fork.json'],
    /^4 .*builds of forks get no tokens.*: set sources\.ci\.forks/,
  ],
  [['trust', 'aws', '--event', 'bad.json'], /^3 .*the event is refused: .*build-started\.schema\.json/],
])('%j is told with what to do next', async (args, expected) => {
  const build = { ...EVENT.data.build, source_repository: { id: '6', name: 'mallory/hello' } };
  const cwd = workDirectory({
    'role.json': JSON.stringify({ user_claim: 'sub', role_type: 'jwt', bound_audiences: ['a'] }),
    'fork.json': JSON.stringify({ ...EVENT, data: { ...EVENT.data, build } }),
    'bad.json': JSON.stringify({ type: EVENT.type }),
  });

  const event = args.includes('--event') ? [] : ['--event', 'started.json'];
  const { code, stderr } = await runMayfly([...args, ...event], { cwd });

  expect(`${code} ${stderr}`).toMatch(expected);
});
