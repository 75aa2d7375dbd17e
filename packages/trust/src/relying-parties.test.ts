import { expect, test } from 'vitest';
import { aws } from './aws-trust.ts';
import { fulcioCertificate } from './fulcio-evaluate.ts';
import { judgeGcp } from './gcp-evaluate.ts';
import { makeTrust } from './make-trust.ts';
import { evaluateOcto, octoFault, octoLiteral } from './octo-policy.ts';
import { TARGETS } from './targets.ts';
import { AUDIENCES, BUILD, deployment, made, NOW, started } from './testing.ts';
import type { Target } from './trust.ts';

const CLAIMS = {
  iss: 'https://id.example.com/ci',
  sub: 'repo:7:ref:refs/heads/main',
  aud: 'octo-sts.dev',
  fork: 'false',
  n: 7,
  ok: true,
};
const POLICY = { issuer: CLAIMS.iss, subject: CLAIMS.sub };

test('octo-sts anchors patterns at both ends, and without an audience wants its own name', () => {
  const judge = (policy: object, claims: object = {}) =>
    evaluateOcto({ ...POLICY, ...policy }, { ...CLAIMS, ...claims }).admitted;

  expect(judge({})).toBe(true);
  expect(judge({}, { aud: 'other' })).toBe(false);
  expect(judge({ audience_pattern: 'octo' })).toBe(false);
  expect(judge({ subject: undefined, subject_pattern: 'x|repo:7:.*' })).toBe(true);
  expect(judge({ subject: undefined, subject_pattern: 'repo:7' })).toBe(false);
  expect(judge({ subject: undefined, subject_pattern: 'repo:7|x' })).toBe(false);
  expect(judge({ claim_pattern: { ok: 'true', fork: 'f.*' } })).toBe(true);
  expect(judge({ claim_pattern: { n: '7' } })).toBe(false);
  expect(judge({ claim_pattern: { absent: '.*' } })).toBe(false);
  expect(judge({ issuer: 'https://id.example.com/ci/' })).toBe(false);
  expect(judge({ claim_pattern: { fork: octoLiteral('f.lse') } })).toBe(false);
});

test('what octo-sts does not take in a token is known', () => {
  const fault = (token: Partial<Parameters<typeof octoFault>[0]>) =>
    octoFault({ issuer: CLAIMS.iss, subject: 's', audiences: ['a'], ...token })?.takes;

  expect(fault({})).toBe(undefined);
  expect(fault({ subject: 'a b' })).toMatch(/subjects/);
  expect(fault({ subject: '{"a"}' })).toMatch(/subjects/);
  expect(fault({ subject: 'a'.repeat(256) })).toMatch(/subjects/);
  expect(fault({ subject: 'a@b|c' })).toBe(undefined);
  expect(fault({ audiences: ['a@b'] })).toMatch(/audiences/);
  for (const issuer of [
    'http://a.b',
    'https://a.b/x//y',
    'https://a.b/?q',
    'https://a.b/~',
    'https://a.b/x:y',
    'https://u@a.b',
  ])
    expect([issuer, fault({ issuer })]).toEqual([issuer, expect.stringMatching(/issuer/)]);
});

test('Google refuses a subject over 127 bytes, and who is not bound', () => {
  const provider = {
    issuer: CLAIMS.iss,
    audiences: ['a'],
    mapping: { 'google.subject': 'assertion.sub', 'attribute.fork': 'assertion.fork' },
    condition: 'attribute.fork == "false"',
  };
  const member = (end: string) =>
    `principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/${end}`;
  const judge = (end: string, claims: object = {}) =>
    judgeGcp(provider, member(end), { ...CLAIMS, aud: 'a', ...claims });

  expect(judge('attribute.fork/false').admitted).toBe(true);
  expect(judge('attribute.fork/true').admitted).toBe(false);
  expect(judge('*').admitted).toBe(true);
  expect(judge('*', { fork: 'true' }).admitted).toBe(false);
  expect(judge('*', { fork: undefined }).admitted).toBe(false);
  expect(judge('*', { sub: 'é'.repeat(64) }).reasons[0]).toMatch(/127 bytes/);
  expect(judge(`subject/${CLAIMS.sub}`).admitted).toBe(true);
  expect(judge('subject/repo:7:ref:refs/heads/mai').admitted).toBe(false);
});

test('Google and Azure say how long a subject may be, and where a shorter one is', async () => {
  const build = { ...BUILD, ref: `refs/heads/${'b'.repeat(700)}` };
  const long = { build, profile: 'gitlab', lines: ["audiences: ['*']", "subject_limits: { '*': 1024 }"] };
  const full = { ...build, pipeline: { id: '1' }, job: { id: '2' } };

  await expect(made('azure', { ...long, build: full })).rejects.toThrow(
    /may have|has 7\d\d characters and Azure takes 600: .*project_only/,
  );
  await expect(made('gcp', { ...long, build: full })).rejects.toThrow(/127/);
});

test('Fulcio refuses a claim that is not there, and a number is not what it was', () => {
  const metadata = {
    'default-template-values': { url: 'https://git' },
    'extension-templates': { 'build-trigger': 'n' },
    'subject-alternative-name-template': '{{ .url }}/{{ .sub }}',
  };

  expect(fulcioCertificate(metadata, CLAIMS)).toMatchObject({
    identity: 'https://git/repo:7:ref:refs/heads/main',
    extensions: { 'build-trigger': '%!s(float64=7)' },
  });
  expect(() =>
    fulcioCertificate({ ...metadata, 'extension-templates': { 'build-trigger': 'event' } }, CLAIMS),
  ).toThrow(/value <event> not present/);
  expect(() =>
    fulcioCertificate({ ...metadata, 'subject-alternative-name-template': '{{ .absent }}' }, CLAIMS),
  ).toThrow(/no entry/);
});

test('AWS is not given an issuer that it cannot reach, nor one with a port', async () => {
  for (const issuer of [
    'http://id.example.com/ci',
    'https://id.example.com:8443/ci',
    'https://localhost/ci',
  ]) {
    const here = { ...(await deployment()), issuer };
    expect(() => makeTrust(aws, here, started(), {}, {}, NOW)).toThrow(
      /^AWS takes issuers at https .* set base_url/,
    );
  }
});

test.each(['gcp', 'azure', 'sigstore', 'octo-sts'])(
  '%s takes no issuer at http, and it is said',
  async (name) => {
    const here = { ...(await deployment()), issuer: 'http://id.example.com/ci' };
    const target = TARGETS[name] as Target;

    expect(() => makeTrust(target, here, started(), { audience: AUDIENCES[name] ?? '' }, {}, NOW)).toThrow(
      /takes issuers at https, and not http:.*: set base_url/,
    );
  },
);

test('Azure takes RS256 only, and the line that says otherwise is named', async () => {
  const lines = ["audiences: ['*']", 'algorithms:', "  'api://*': ES256"];

  await expect(made('azure', { lines })).rejects.toThrow(
    /^Azure takes RS256 only, and mayfly\.yaml:7 has tokens for api:.* signed with ES256: set RS256 there/,
  );
  expect((await made('gcp', { lines })).kind.algorithm.name).toBe('RS256');
  expect((await made('aws', { lines: [...lines.slice(0, 2), "  '*': ES256"] })).kind.algorithm).toEqual({
    name: 'ES256',
    place: 'mayfly.yaml:7',
  });
});

test('AWS sees claims that the build asks for as session tags, and holds them fast', async () => {
  const { trust, checked, kind } = await made('aws', {
    subjectClaim: 'repository',
    awsSessionTags: ['ref', 'fork'],
  });

  expect(trust.texts[0]?.text).toMatch(/"aws:RequestTag\/ref": "refs\/heads\/main"/);
  expect(checked.filter(({ verdict }) => verdict === 'admitted')).toEqual([]);
  expect(trust.judge({ ...kind.claims, 'https://aws.amazon.com/tags': undefined }).admitted).toBe(false);
  const clever = { ...BUILD, ref: 'refs/heads/fix#1,(a)' };
  await expect(made('aws', { build: clever, awsSessionTags: ['ref'] })).rejects.toThrow(
    /^ref cannot be a tag for AWS/,
  );
  for (const given of [trust, (await made('aws', { profile: 'vela' })).trust])
    expect(given.notes.join('\n')).toMatch(/50 session tags, keys of 128 characters, values of 256/);
});

test('AWS: a session tag that no two builds share is given to the session and not held fast, and it is said', async () => {
  const build = { ...BUILD, job: { id: 'j-7', name: 'test' } };
  const awsSessionTags = ['build_number', 'sha', 'job_id', 'ref', 'fork'];

  const { trust, checked, widen } = await made('aws', { build, awsSessionTags });

  const { Action, Condition } = JSON.parse(trust.texts[0]?.text ?? '').Statement[0];
  const tags = Object.keys(Condition.StringEquals).filter((key) => key.startsWith('aws:RequestTag/'));
  expect(tags).toEqual(['aws:RequestTag/ref', 'aws:RequestTag/fork']);
  expect(Action).toEqual(['sts:AssumeRoleWithWebIdentity', 'sts:TagSession']);
  expect(trust.held).toEqual(['ref', 'fork']);
  expect(trust.notes.join('\n')).toMatch(/no two builds share build_number, sha, job_id/);
  expect(checked).toContainEqual({ name: 'the next build', verdict: 'same kind' });
  expect(widen.map(({ change }) => change).join('\n')).not.toMatch(/RequestTag of .*(sha|_number|job_id)/);
  const alone = await made('aws', { build, awsSessionTags: ['sha'] });
  expect(alone.trust.texts[0]?.text).toMatch(/sts:TagSession/);
});

test('AWS: the provider is in the partition that the audience is of, or in the one that is named', async () => {
  const principal = async (...given: Parameters<typeof made>) => {
    const { trust } = await made(...given);
    expect(trust.texts.find(({ language }) => language === 'hcl')?.text).toContain(
      trust.texts[0]?.text.split('\n')[6],
    );
    return JSON.parse(trust.texts[0]?.text ?? '').Statement[0].Principal.Federated;
  };
  const china = { audience: 'sts.amazonaws.com.cn' };

  expect(await principal('aws')).toBe('arn:aws:iam::111122223333:oidc-provider/id.example.com/ci');
  expect(await principal('aws', china)).toMatch(/^arn:aws-cn:iam::111122223333:/);
  expect(await principal('aws', {}, { partition: 'aws-us-gov' })).toMatch(/^arn:aws-us-gov:iam::/);
  await expect(made('aws', {}, { partition: 'gov' })).rejects.toThrow(
    /^gov is no partition of AWS .*: give another with --partition/,
  );
});
