import { EXIT_CODES } from './exit-codes.ts';

/** What `mayfly interpolate --help` prints. */
export const INTERPOLATE_HELP = `Put tokens and secrets into a Concourse pipeline or task.

  mayfly interpolate FILE [OPTIONS]

Each ((source:path.field)) of FILE is replaced by what its var_source holds: the token of a source of type idtoken, or
a secret of a source of type vault with auth_type: jwt. A Vault is logged in to with ((.CONCOURSE_CI_JWT)): the variable
CONCOURSE_CI_JWT where it is set, else an ID token for auth_audience or, if that is left out, for the url of the Vault.
Its token is revoked before this command ends. The sources that were used are taken out of what is written; sources of
other types, and ((.:local)) variables, are left to Concourse.

Options
  --team NAME, --pipeline NAME  what .Team and .Pipeline stand for in lookup_templates; BUILD_TEAM_NAME and
                                BUILD_PIPELINE_NAME if left out; a template that needs one nobody knows is skipped
  --job NAME                    interpolate and write this job, and no other
  -v, --var NAME=VALUE          what ((NAME)) stands for; may be repeated
  --keep-unknown                leave names without a source as they are, for Concourse
  -o, --output FILE             write there, readable for you alone; standard output if left out
  --grant FILE                  the grant; - reads it from standard input; else the environment is asked
  --timeout SECONDS             how long to try to reach the issuer and Vault; 15 if left out

Exit codes
  ${EXIT_CODES.usage}    the command line is wrong
  ${EXIT_CODES.configuration}    FILE is not what it says, or names what is not there: a source, a secret, a field; or there is no grant
  ${EXIT_CODES.refused}    the issuer or Vault refused
  ${EXIT_CODES.unreachable}    the issuer or Vault cannot be reached, or cannot answer now
  ${EXIT_CODES.masking}    within mayfly exec: a secret could not be masked

Examples
  mayfly interpolate pipeline.yml --team main --pipeline deploy --output deploy.yml
  mayfly interpolate task.yml | fly execute -c /dev/stdin
`;
