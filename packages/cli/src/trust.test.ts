import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testToken } from './testing.ts';
import { EVENT, POLICY, runInProcess as runMayfly, workDirectory } from './trust-in-test.ts';

test('trust prints what is to be pasted, what it was tried on and what would widen it', async () => {
  const { code, stdout } = await runMayfly(
    ['trust', 'aws', '--event', 'started.json', '--account', '123456789012'],
    {
      cwd: workDirectory(),
    },
  );

  expect(code).toBe(0);
  expect(stdout).toMatch(/"Federated": "arn:aws:iam::123456789012:oidc-provider\/id\.example\/ci"/);
  expect(stdout).toMatch(/Tried, and refused\n {2}another branch/);
  expect(stdout).toMatch(
    /Of the same kind, and admitted: .*\n {2}the next build\n {2}another event, such as a schedule\n/,
  );
  expect(stdout).toMatch(/What would widen it\n/);
  expect(stdout).not.toMatch(/ADMITTED TOO/);
});

test.each(['aws', 'gcp', 'azure', 'vault', 'sigstore', 'octo-sts'])(
  'trust %s is JSON for programs, and check takes what it can read',
  async (name) => {
    const audiences = [
      '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/mayfly',
      'api://AzureADTokenExchange',
      'sigstore',
      'octo-sts.dev',
    ];
    const cwd = workDirectory({
      'mayfly.yaml': POLICY + audiences.map((one) => `      - ${one}\n`).join(''),
    });

    const { code, stdout } = await runMayfly(['trust', name, '--event', '-', '--json'], {
      cwd,
      input: JSON.stringify(EVENT),
    });

    const { texts, tried, widen, subject } = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(subject).toBe('repo:7:ref:refs/heads/main');
    expect(texts.length).toBeGreaterThan(0);
    expect(widen.length).toBeGreaterThan(0);
    expect(tried).toContainEqual({ name: 'a fork', verdict: 'refused' });
    if (name !== 'aws' && name !== 'vault') return;
    writeFileSync(join(cwd, 'policy.json'), texts[0].text);
    const audience = name === 'aws' ? 'sts.amazonaws.com' : 'https://vault.example';
    const checked = await runMayfly(
      ['trust', 'check', 'policy.json', '--event', 'started.json', '--audience', audience, '--json'],
      { cwd },
    );
    expect([checked.code, JSON.parse(checked.stdout)]).toMatchObject([
      0,
      { admitted: true, warnings: [], admitted_too: [] },
    ]);
  },
);

test('check says by which condition a token is refused, and of what the policy admits besides', async () => {
  const role = {
    role_type: 'jwt',
    user_claim: 'sub',
    bound_audiences: ['other'],
    bound_claims: { ref: 'x' },
    token_max_ttl: 60,
  };
  const cwd = workDirectory({ 'role.json': JSON.stringify(role), 'token.jwt': testToken() });

  const { code, stdout } = await runMayfly(['trust', 'check', '-', '--token', 'token.jwt'], {
    cwd,
    input: JSON.stringify(role),
  });
  const byEvent = await runMayfly(['trust', 'check', 'role.json', '--event', 'started.json'], { cwd });

  expect(code).toBe(4);
  expect(stdout).toMatch(/^REFUSED, for the audience .*\n {2}invalid audience .*bound_audiences/);
  expect(stdout).toMatch(/It admits more than it looks like\n {2}bound_claims holds ref only/);
  expect(byEvent.code).toBe(4);
});

test('what cannot be meant is exit code 2, a refusal of policy 4, a file that cannot be read 3, each with what to do', async () => {
  const cwd = workDirectory({ 'bad.json': '{}' });
  const run = async (...args: string[]) => {
    const { code, stderr } = await runMayfly(args, { cwd });
    return `${code} ${stderr}`;
  };

  expect(await run('trust')).toMatch(
    /^2 .*none of aws, gcp, azure, vault, sigstore, octo-sts, check: see mayfly trust --help/,
  );
  expect(await run('trust', 'aws')).toMatch(/^2 .*name the file .* with --event/);
  expect(await run('trust', 'aws', '--event', 'none.json')).toMatch(
    /^3 .*cannot be read \(ENOENT\): name it with --event FILE/,
  );
  expect(await run('trust', 'aws', '--event', 'bad.json')).toMatch(/^3 .*the event is refused: .*correct it/);
  expect(await run('trust', 'azure', '--event', 'started.json')).toMatch(
    /^4 .*mayfly\.yaml:4 does not allow the audience api:/,
  );
  expect(await run('trust', 'aws', '--event', 'started.json', '--wrong')).toMatch(
    /^2 .*see mayfly trust --help/,
  );
  expect(await run('trust', 'check', 'a', '--event', 'b', '--token', 'c')).toMatch(
    /^2 .*checked against one thing/,
  );
  expect(await run('explain', '--event', 'started.json', '--config', 'no.yaml')).toMatch(
    /^3 .*name it with --config FILE/,
  );
});

test('explain tells claims, subject and policy with its lines, and exits with 4 where a token is refused', async () => {
  const cwd = workDirectory();
  const allowed = await runMayfly(['explain', '--event', 'started.json'], { cwd });
  const refused = await runMayfly(
    [
      'explain',
      '--event',
      'started.json',
      '--audience',
      'sts.amazonaws.com',
      '--audience',
      'https://evil.example',
    ],
    { cwd },
  );
  const json = await runMayfly(['explain', '--event', 'started.json', '--json'], { cwd });

  const two = await runMayfly(
    [
      'explain',
      '--event',
      'started.json',
      '--audience',
      'sts.amazonaws.com',
      '--audience',
      'https://vault.example',
    ],
    { cwd },
  );
  const extra = await runMayfly(['explain', 'extra', '--event', 'started.json'], { cwd });

  expect([extra.code, extra.stderr]).toEqual([
    2,
    expect.stringMatching(/extra means nothing here: .*--event FILE/),
  ]);
  expect(two.stdout).toMatch(
    /\nFor https:\/\/vault\.example, signed with RS256: the same, but for\n {2}aud +https:\/\/vault\.example/,
  );
  expect(allowed.stdout).toMatch(/\n {2}status +known when the build is on record +the issuer/);
  expect(allowed.code).toBe(0);
  expect(allowed.stdout).toMatch(
    /allowed {2}https:\/\/vault\.example \(declared as VAULT\) {2}mayfly\.yaml:5/,
  );
  expect(allowed.stdout).toMatch(/ref +refs\/heads\/main +ref \(a user decides it\)/);
  expect(refused.code).toBe(4);
  expect(refused.stdout).toMatch(
    /allowed {2}sts\.amazonaws\.com {2}mayfly\.yaml:6[\s\S]*REFUSED {2}https:\/\/evil\.example {2}mayfly\.yaml:4/,
  );
  expect(JSON.parse(json.stdout)).toMatchObject({
    source: 'ci',
    token: { subject: { value: 'repo:7:ref:refs/heads/main' } },
  });
});

test('what an event holds cannot move the cursor of a terminal', async () => {
  const build = { ...EVENT.data.build, ref: 'refs/heads/\u009b2J\u202etxt' };
  const cwd = workDirectory({ 'started.json': JSON.stringify({ ...EVENT, data: { build } }) });

  const { stdout } = await runMayfly(['explain', '--event', 'started.json'], { cwd });

  expect(stdout).not.toMatch(/[\u009b\u202e]/);
  expect(stdout).toMatch(/\\u\{9b\}2J\\u\{202e\}txt/);
});

test.each([['explain'], ['trust'], ['token', 'inspect']])(
  '%s has a help with examples',
  async (...command) => {
    const { code, stdout } = await runMayfly([...command, '--help']);

    expect(code).toBe(0);
    expect(stdout).toMatch(/\nOptions\n[\s\S]*\nExamples\n {2}mayfly/);
  },
);

test('what a relying party cannot tell apart is said, with what to do about it', async () => {
  const facts = { number: 17, sha: '9fceb02', actor: { id: '1', login: 'o' } };
  const vela = { ...EVENT, data: { build: { ...EVENT.data.build, ...facts } } };
  const cwd = workDirectory({
    'mayfly.yaml': POLICY.replace('ci:', 'ci:\n    profile: vela'),
    'started.json': JSON.stringify(vela),
  });

  const { code, stdout } = await runMayfly(['trust', 'aws', '--event', 'started.json'], { cwd });

  expect(code).toBe(0);
  expect(stdout).toMatch(
    /ADMITTED TOO: .*\n {2}a repository that takes the name again\n[\s\S]*next: the profile vela has no other/,
  );
});
