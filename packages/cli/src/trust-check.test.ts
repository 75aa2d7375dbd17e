import { expect, test } from 'vitest';
import { runInProcess as runMayfly, workDirectory } from './trust-in-test.ts';

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
