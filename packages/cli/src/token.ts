import type { Command, Surroundings } from './command.ts';
import { parseOptions, parseSeconds } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import { readGrant } from './grant.ts';
import { type IssuedToken, issuerAt } from './issuer.ts';
import { announceSecret, MASK_SOCKET_VARIABLE } from './mask-socket.ts';

const HELP = `Print one ID token of the running build.

  mayfly token --audience AUDIENCE [OPTIONS]

Options
  --audience AUDIENCE           whom the token is for
  --lifetime SECONDS            how long it lives, as far as mayfly.yaml allows
  --claim NAME                  add an optional claim; may be repeated
  --subject-claim NAME          use this claim as the subject
  --aws-session-tag NAME        add a claim as an AWS session tag; may be repeated
  --format FORMAT               jwt: the token alone, as if left out; json: with when it expires; gcp: as Google's
                                SDKs want it of a command; kubernetes: as kubectl does (ExecCredential)
  --grant FILE                  the grant; - reads it from standard input; else the environment is asked
  --timeout SECONDS             how long to try to reach the issuer; 15 if left out

Within \`mayfly exec\` the token is masked before it is printed; if that cannot be promised it is not printed.

Examples
  mayfly token --audience https://vault.example
  mayfly token --audience sts.amazonaws.com --lifetime 600 --aws-session-tag repository --format json
`;

/** `mayfly token`: prints one token. */
export const token: Command = {
  summary: 'print one token for an audience',
  help: HELP,
  async run(args, surroundings) {
    const options = parseTokenOptions(args);
    if (options.help) {
      surroundings.stdout.write(HELP);
      return 0;
    }
    try {
      surroundings.stdout.write(`${FORMATS[options.format](await fetchToken(options, surroundings))}\n`);
      return 0;
    } catch (error) {
      if (options.format === 'gcp' && error instanceof CommandError) {
        surroundings.stdout.write(`${gcpFailure(error)}\n`);
      }
      throw error;
    }
  },
};

type Options = ReturnType<typeof parseTokenOptions>;

async function fetchToken(options: Options, { env, stdin }: Surroundings): Promise<IssuedToken> {
  const grant = await readGrant({ file: options.grant, env, stdin, now: Date.now() });
  const issued = await issuerAt(grant, { timeoutMs: options.timeoutMs }).issue(options);
  const socket = env[MASK_SOCKET_VARIABLE];
  if (socket) await announceSecret(socket, issued.token);
  return issued;
}

const FORMATS = {
  jwt: ({ token }: IssuedToken) => token,
  json: ({ token, expiresAt }: IssuedToken) => JSON.stringify({ token, expires_at: expiresAt }),
  gcp: ({ token, expiresAt }: IssuedToken) =>
    JSON.stringify({
      version: 1,
      success: true,
      token_type: 'urn:ietf:params:oauth:token-type:jwt',
      id_token: token,
      expiration_time: expiresAt,
    }),
  kubernetes: ({ token, expiresAt }: IssuedToken) =>
    JSON.stringify({
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: {
        token,
        ...(expiresAt > 0 ? { expirationTimestamp: new Date(expiresAt * 1000).toISOString() } : {}),
      },
    }),
};

function gcpFailure({ code, failure, message }: CommandError): string {
  return JSON.stringify({ version: 1, success: false, code: code ?? failure, message });
}

function parseTokenOptions(args: readonly string[]) {
  const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly token --help');
  if (positionals.length > 0)
    throw new CommandError('usage', `${positionals[0]} is no option: see mayfly token --help`);
  const { help = false, audience = '', lifetime, format = 'jwt', timeout = '15' } = values;
  if (!help && !audience) throw new CommandError('usage', 'no audience: mayfly token --audience AUDIENCE');
  if (!Object.hasOwn(FORMATS, format))
    throw new CommandError('usage', '--format is jwt, json, gcp or kubernetes');
  return {
    help,
    audiences: [audience],
    format: format as keyof typeof FORMATS,
    grant: values.grant,
    lifetimeSeconds: lifetime === undefined ? undefined : parseSeconds(lifetime),
    claims: values.claim,
    subjectClaim: values['subject-claim'],
    awsSessionTags: values['aws-session-tag'],
    timeoutMs: parseSeconds(timeout) * 1000,
  };
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  audience: { type: 'string' },
  lifetime: { type: 'string' },
  claim: { type: 'string', multiple: true },
  'subject-claim': { type: 'string' },
  'aws-session-tag': { type: 'string', multiple: true },
  format: { type: 'string' },
  grant: { type: 'string' },
  timeout: { type: 'string' },
} as const;
