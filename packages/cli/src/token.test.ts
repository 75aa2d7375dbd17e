import { expect, test } from 'vitest';
import { runMayfly } from './run-in-test.ts';
import { type StandInIssuer, startStandInIssuer } from './stand-in-issuer.ts';

const given = ({ requestUrl, requestToken }: StandInIssuer) => ({
  ACTIONS_ID_TOKEN_REQUEST_URL: requestUrl,
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: requestToken,
});

test('a token is printed alone, with its expiry, or as Google or kubectl want it', async () => {
  await using issuer = await startStandInIssuer();
  const ask = async (format: string) =>
    (await runMayfly(['token', '--audience', 'a b', '--format', format], { env: given(issuer) })).stdout;

  expect(await ask('jwt')).toBe(`${issuer.given[0]}\n`);
  expect(JSON.parse(await ask('json'))).toEqual({ token: issuer.given[1], expires_at: expect.any(Number) });
  expect(JSON.parse(await ask('gcp'))).toMatchObject({
    version: 1,
    success: true,
    id_token: issuer.given[2],
  });
  expect(JSON.parse(await ask('kubernetes'))).toEqual({
    ...{ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential' },
    status: {
      token: issuer.given[3],
      expirationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    },
  });
  expect(issuer.asked[0]?.searchParams.get('audience')).toBe('a b');
});

test('lifetime, claims, subject claim and session tags reach the issuer', async () => {
  await using issuer = await startStandInIssuer();
  const flags =
    '--lifetime 600 --claim sha --claim ref --subject-claim build_id --aws-session-tag repository';

  await runMayfly(['token', '--audience', 'a', ...flags.split(' ')], { env: given(issuer) });

  expect(Object.fromEntries(issuer.asked[0]?.searchParams ?? [])).toEqual({
    'api-version': '1',
    audience: 'a',
    lifetime: '600',
    claims: 'sha,ref',
    subject_claim: 'build_id',
    aws_session_tags: 'repository',
  });
});

test('an issuer that is busy is asked again', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.refusesNext = 2;

  const { code } = await runMayfly(['token', '--audience', 'a'], { env: given(issuer) });

  expect(code).toBe(0);
  expect(issuer.asked).toHaveLength(3);
});

test('a build that has finished gets exit code 4, an issuer that stays busy 5, both in one line', async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.isFinished = true;
  const finished = await runMayfly(['token', '--audience', 'a'], { env: given(issuer) });
  issuer.state.refusesNext = Number.POSITIVE_INFINITY;
  const busy = await runMayfly(['token', '--audience', 'a', '--timeout', '0'], { env: given(issuer) });

  expect(finished).toMatchObject({ code: 4, stdout: '' });
  expect(finished.stderr).toMatch(
    /^mayfly: the issuer at http:\/\/127\.0\.0\.1:\d+ refused \(invalid_token.*start a new build\n$/,
  );
  expect(busy).toMatchObject({ code: 5, stdout: '' });
  expect(busy.stderr).toMatch(/^mayfly: .*temporarily_unavailable.*run this again later\n$/);
});

test("a failure is told to Google's SDK in its own form", async () => {
  await using issuer = await startStandInIssuer();
  issuer.state.isFinished = true;

  const { code, stdout } = await runMayfly(['token', '--audience', 'a', '--format', 'gcp'], {
    env: given(issuer),
  });

  expect(code).toBe(4);
  expect(JSON.parse(stdout)).toMatchObject({ version: 1, success: false, code: 'invalid_token' });
});

test('a token that nobody would mask is not printed', async () => {
  await using issuer = await startStandInIssuer();
  const env = { ...given(issuer), MAYFLY_MASK_SOCKET: '/nobody/listens' };

  const { code, stdout } = await runMayfly(['token', '--audience', 'a'], { env });

  expect({ code, stdout }).toEqual({ code: 6, stdout: '' });
});

test('no audience, an unknown format and an unknown command are faults of usage', async () => {
  for (const args of [['token'], ['token', '--audience', 'a', '--format', 'xml'], ['frob'], []]) {
    expect(await runMayfly(args)).toMatchObject({ code: 2, stdout: '' });
  }
});

test('which mayfly this is, is printed', async () => {
  expect((await runMayfly(['--version'])).stdout).toMatch(/^mayfly \d+\.\d+\.\d+\n$/);
});
