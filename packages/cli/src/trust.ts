import type { Command } from './command.ts';

const HELP = `Print what makes a relying party admit exactly one kind of build, or check what a policy admits.

  mayfly trust RELYING-PARTY --event FILE [OPTIONS]
  mayfly trust check POLICY --event FILE|--token FILE [OPTIONS]

Relying parties
  aws        trust policy of an IAM role: JSON, and Terraform
  gcp        workload identity provider with its mapping and condition: gcloud, and Terraform
  azure      federated credential of an app or a managed identity: JSON, az, and Terraform
  vault      role of the JWT login: JSON, and vault write
  sigstore   configuration of one's own Fulcio (ci-provider), and cosign verify
  octo-sts   trust policy of a repository on GitHub: YAML

No server is asked. What is printed was tried on the build, on the next one and on builds that are nearly the same;
what it admits beside the build is said, and so is which change would widen it to what. Words in capitals are yours to
fill in.

check reads an AWS trust policy or a role of Vault (JSON; - reads standard input), and says whether it admits the
build or the token, by which condition, and by what it admits more than it looks like. It verifies no signature.

Options
  --event FILE            the event with which the CI starts the build (dev.mayfly.ci.build.started); - reads
                          standard input
  --token FILE            for check: a file with a token; - reads standard input
  --config FILE           the policy; mayfly.yaml if left out
  --profiles DIRECTORY    where the profiles are, and nowhere else; if left out, where mayfly.yaml says, then those
                          that come with mayfly
  --issuer URL            the source's issuer; base_url of mayfly.yaml and the source if left out
  --audience AUDIENCE     whom the token is for; the relying party's usual one if left out: for
                          check sts.amazonaws.com, or the role's only bound_audiences
  --lifetime, --claim, --subject-claim, --aws-session-tag
                          as the build asks for them: see mayfly token --help
  --json                  print JSON, for programs

Names of what is there already
  --account, --role       aws: the account's number, the role's name. gcp: --account is the service account
  --partition             aws: aws-us-gov for GovCloud; the one of the audience if left out
  --project, --pool, --provider
                          gcp: number of the project, pool and provider
  --app                   azure: the app's id
  --role, --mount, --policies
                          vault: the role, where the JWT login is mounted, and the policies, with commas
  --name                  azure, sigstore, octo-sts: what the credential, provider or policy is called

Exit code 0; for check, 4 if the policy refuses, or if a token alone does not tell.

Examples
  mayfly trust aws --event started.json --account 111122223333 --role deploy
  mayfly trust vault --event started.json --audience https://vault.example --policies deploy
  mayfly trust check trust-policy.json --event started.json --audience sts.amazonaws.com
  vault read -format=json auth/jwt/role/ci | mayfly trust check - --token token.jwt
`;

/** `mayfly trust`: policies of relying parties, made and checked. */
export const trust: Command = {
  summary: 'print or check the trust policy of AWS, Vault and others',
  help: HELP,
  async run(args, surroundings) {
    // Only when it is wanted: it reads more than a runner's commands need.
    const { runTrust } = await import('./trust-run.ts');
    return await runTrust(args, surroundings, HELP);
  },
};
