import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { evaluateAws } from './aws-evaluate.ts';
import { readAwsPolicy } from './aws-policy.ts';
import { judgeAzure } from './azure-trust.ts';
import { type FulcioMetadata, fulcioCertificate, judgeFulcio } from './fulcio-evaluate.ts';
import { judgeGcp } from './gcp-evaluate.ts';
import type { MadeTrust } from './make-trust.ts';
import { nearMisses } from './near-misses.ts';
import { evaluateOcto, type OctoPolicy } from './octo-policy.ts';
import { hclArgument, optionOf, shellWords } from './parse-back.ts';
import { BUILD, deployment, made, NOW, started } from './testing.ts';
import type { TokenClaims, Wish } from './token-of.ts';
import { evaluateVault } from './vault-evaluate.ts';
import { readVaultRole } from './vault-role.ts';
import type { Verdict } from './verdict.ts';

/** A branch with signs that every one of the languages means something by. */
const CLEVER = { ...BUILD, ref: 'refs/heads/$' + '{aws:username}%{x}"\'$(id)`#*' };

async function expectExact(
  { kind }: MadeTrust,
  judge: (claims: TokenClaims) => Verdict,
  build = BUILD,
  profile = 'mayfly',
) {
  const wish: Wish = { audience: kind.audience };
  const others = nearMisses(await deployment(profile), started(build), wish, NOW).filter(
    ({ claims, isSameKind }) => claims && !isSameKind,
  );

  expect(judge(kind.claims)).toMatchObject({ admitted: true });
  for (const { name, claims } of others) expect([name, judge(claims ?? {}).admitted]).toEqual([name, false]);
  expect(others.length).toBeGreaterThan(8);
}

const textOf = ({ trust }: MadeTrust, language: string) =>
  trust.texts.find((one) => one.language === language)?.text ?? '';

test.each([
  ['mayfly', BUILD],
  ['mayfly', CLEVER],
  ['github', BUILD],
  ['github', CLEVER],
] as const)("AWS: the JSON and Terraform's copy admit exactly the build of %s", async (profile, build) => {
  const result = await made('aws', { profile, build });
  const json = textOf(result, 'json');

  const policy = readAwsPolicy(JSON.parse(json));
  await expectExact(result, (claims) => evaluateAws(policy, claims), build, profile);
  expect(JSON.parse(hclArgument(textOf(result, 'hcl'), 'assume_role_policy'))).toEqual(JSON.parse(json));
  const [provider, role] = textOf(result, 'sh')
    .split(/\n(?=aws)/)
    .map(shellWords);
  expect(optionOf(provider ?? [], '--url')).toBe(result.kind.issuer);
  expect(optionOf(provider ?? [], '--client-id-list')).toBe(result.kind.audience);
  expect(optionOf(role ?? [], '--role-name')).toBe('ROLE');
  expect(optionOf(role ?? [], '--assume-role-policy-document')).toBe('file://trust-policy.json');
});

test.each([
  ['mayfly', BUILD],
  ['mayfly', CLEVER],
  ['github', BUILD],
  ['github', CLEVER],
] as const)(
  'Google Cloud: the commands and Terraform admit exactly the build of %s',
  async (profile, build) => {
    const result = await made('gcp', { profile, build });
    const [, create = '', bind = ''] = textOf(result, 'sh').split(/\n(?=gcloud)/);
    const [provider, binding] = [shellWords(create), shellWords(bind)];
    const hcl = textOf(result, 'hcl');

    const mapping = optionOf(provider, '--attribute-mapping')
      .split(',')
      .map((one) => one.split('=') as [string, string]);
    const made_ = {
      issuer: optionOf(provider, '--issuer-uri'),
      audiences: [optionOf(provider, '--allowed-audiences')],
      mapping: Object.fromEntries(mapping),
      condition: optionOf(provider, '--attribute-condition'),
    };
    const member = optionOf(binding, '--member');
    await expectExact(result, (claims) => judgeGcp(made_, member, claims), build, profile);
    // The condition alone says as much as the binding: whoever binds a whole pool later admits nobody else.
    const everyone = member.replace(/\/subject\/.*$/, '/*');
    await expectExact(result, (claims) => judgeGcp(made_, everyone, claims), build, profile);
    expect(hclArgument(hcl, 'attribute_condition')).toBe(made_.condition);
    expect(hclArgument(hcl, 'issuer_uri')).toBe(made_.issuer);
    expect(hclArgument(hcl, 'allowed_audiences')).toBe(made_.audiences[0]);
    expect(hclArgument(hcl, 'member')).toBe(member);
    for (const [key, value] of mapping) expect(hclArgument(hcl, key)).toBe(value);
  },
);

test.each([
  ['mayfly', BUILD],
  ['github', CLEVER],
] as const)(
  'Azure: the JSON, the command and Terraform admit exactly the build of %s',
  async (profile, build) => {
    const result = await made('azure', { profile, build });
    const credential = JSON.parse(textOf(result, 'json'));
    const words = shellWords(textOf(result, 'sh').split(/\n(?=az identity)/)[1] ?? '');
    const hcl = textOf(result, 'hcl');

    await expectExact(result, (claims) => judgeAzure(credential, claims), build, profile);
    const both = [
      [optionOf(words, '--issuer'), optionOf(words, '--subject'), optionOf(words, '--audiences')],
      [hclArgument(hcl, 'issuer'), hclArgument(hcl, 'subject'), hclArgument(hcl, 'audiences')],
    ];
    for (const copy of both)
      expect(copy).toEqual([credential.issuer, credential.subject, credential.audiences[0]]);
  },
);

test.each([
  ['mayfly', BUILD],
  ['github', CLEVER],
] as const)(
  'Vault: the role and the configuration of the mount admit exactly the build of %s',
  async (profile, build) => {
    const result = await made('vault', { profile, build });
    const config = shellWords(textOf(result, 'sh').split(/\n(?=vault)/)[1] ?? '');

    const boundIssuer = config
      .find((word) => word.startsWith('bound_issuer='))
      ?.slice('bound_issuer='.length);
    const role = { ...readVaultRole(JSON.parse(textOf(result, 'json'))), boundIssuer };
    await expectExact(result, (claims) => evaluateVault(role, claims), build, profile);
  },
);

test("Sigstore: by Fulcio's configuration and what the verifier asks for, exactly the build is taken", async () => {
  const result = await made('sigstore');
  const config = parse(textOf(result, 'yaml'));
  const words = shellWords(textOf(result, 'sh'));

  const issuer = optionOf(words, '--certificate-oidc-issuer');
  const provider = config['oidc-issuers'][issuer];
  const metadata = config['ci-issuer-metadata'][provider['ci-provider']] as FulcioMetadata;
  const wanted = {
    issuer,
    identity: optionOf(words, '--certificate-identity'),
    audience: provider['client-id'],
  };
  await expectExact(result, (claims) => judgeFulcio(metadata, wanted, claims));
  expect(provider).toMatchObject({ 'issuer-url': issuer, type: 'ci-provider' });
  expect(wanted.identity).toBe('https://id.example.com/ci/repo:456789:ref:refs/heads/main');
  expect(fulcioCertificate(metadata, result.kind.claims).extensions).toMatchObject({
    'source-repository-identifier': '456789',
    'source-repository-ref': 'refs/heads/main',
    'source-repository-uri': 'https://GIT.EXAMPLE.COM/octo/hello',
  });
});

test('octo-sts: the trust policy admits exactly the build', async () => {
  const result = await made('octo-sts');
  const policy = parse(textOf(result, 'yaml')) as OctoPolicy;

  await expectExact(result, (claims) => evaluateOcto(policy, claims));
});

test('octo-sts takes no subject with brackets or quotes, and Fulcio none that a certificate changes: both are said', async () => {
  await expect(made('octo-sts', { profile: 'github', build: CLEVER })).rejects.toThrow(
    /octo-sts takes subjects of 255/,
  );
  await expect(made('sigstore', { profile: 'github', build: CLEVER })).rejects.toThrow(
    /has signs that a certificate/,
  );
});

test('AWS: an audience with signs that a shell means something by is one word of its command', async () => {
  const audience = `it's-$(id)\`"`;

  const result = await made('aws', { audience });

  const [provider] = textOf(result, 'sh')
    .split(/\n(?=aws)/)
    .map(shellWords);
  expect(optionOf(provider ?? [], '--client-id-list')).toBe(audience);
});
