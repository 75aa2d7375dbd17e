import type { CloudOptions } from './clouds.ts';
import { parseOptions, parseSeconds } from './command-line.ts';
import { CommandError } from './exit-codes.ts';

/** What `mayfly exec` was told. */
export type ExecOptions = {
  command: string[];
  help: boolean;
  grant: string | undefined;
  /** Variable → audience, of tokens beside those that the build declares. */
  idTokens: Record<string, string>;
  /** Names of variables whose values are secrets. */
  mask: string[];
  noMask: boolean;
  /** Whether the step gets the address and the request token of the grant itself. */
  noRelay: boolean;
  timeoutMs: number;
  clouds: CloudOptions;
  /** The file that declares tokens and secrets in GitLab's words, and the job of it that is meant. */
  config: string | undefined;
  job: string | undefined;
};

/** Takes the arguments of `mayfly exec`; throws where they cannot be meant. */
export function parseExecOptions(args: readonly string[]): ExecOptions {
  const split = args.indexOf('--');
  const own = split < 0 ? args : args.slice(0, split);
  const { values, positionals } = parseOptions(own, OPTIONS, 'mayfly exec --help');
  const command = split < 0 ? [] : args.slice(split + 1);
  if (positionals.length > 0) {
    throw new CommandError(
      'usage',
      `${positionals[0]} does not stand behind --: mayfly exec -- COMMAND ARGUMENTS`,
    );
  }
  if (command.length === 0 && values.help !== true) {
    throw new CommandError('usage', 'no command: mayfly exec -- COMMAND ARGUMENTS');
  }
  const { grant, help = false, mask = [], 'id-token': idTokens = [], ...rest } = values;
  const {
    timeout = '15',
    'no-mask': noMask = false,
    'no-relay': noRelay = false,
    config,
    job,
    ...clouds
  } = rest;
  if (job !== undefined && config === undefined)
    throw new CommandError('usage', '--job names a job of a file: say which with --config .gitlab-ci.yml');
  if (config !== undefined && clouds['google-executable'])
    throw new CommandError(
      'usage',
      '--google-executable asks for tokens, and with --config a command has no way to any: leave it out, the file of --google-provider is kept fresh',
    );
  return {
    command,
    help,
    grant,
    mask,
    noMask,
    noRelay,
    idTokens: Object.fromEntries(idTokens.map(nameAndAudience)),
    timeoutMs: parseSeconds(timeout) * 1000,
    ...{ clouds, config, job },
  };
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  grant: { type: 'string' },
  config: { type: 'string' },
  job: { type: 'string' },
  'id-token': { type: 'string', multiple: true },
  mask: { type: 'string', multiple: true },
  'no-mask': { type: 'boolean' },
  'no-relay': { type: 'boolean' },
  timeout: { type: 'string' },
  'aws-audience': { type: 'string' },
  'aws-role': { type: 'string' },
  'aws-session-name': { type: 'string' },
  'google-provider': { type: 'string' },
  'google-audience': { type: 'string' },
  'google-service-account': { type: 'string' },
  'google-token-url': { type: 'string' },
  'google-executable': { type: 'boolean' },
  azure: { type: 'boolean' },
  'azure-audience': { type: 'string' },
} as const;

function nameAndAudience(text: string): [string, string] {
  const [, name, audience] = /^([A-Za-z_][A-Za-z0-9_]*)=(.+)$/.exec(text) ?? [];
  if (!name || !audience) {
    throw new CommandError(
      'usage',
      '--id-token takes NAME=AUDIENCE, such as --id-token VAULT_TOKEN=https://vault.example',
    );
  }
  return [name, audience];
}
