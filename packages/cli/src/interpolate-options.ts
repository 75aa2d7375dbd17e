import { parseOptions, parseSeconds } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';
import type { Whose } from './var-source-lookup.ts';

/** What `mayfly interpolate` was told. */
export type InterpolateOptions = {
  help: boolean;
  file: string;
  whose: Whose;
  job: string | undefined;
  output: string | undefined;
  grant: string | undefined;
  variables: Record<string, string>;
  keepsUnknown: boolean;
  timeoutMs: number;
};

/** Takes the arguments of `mayfly interpolate`, and the environment of a Concourse build; throws where they cannot be meant. */
export function parseInterpolateOptions(args: readonly string[], env: Environment): InterpolateOptions {
  const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly interpolate --help');
  const { help = false, var: variables = [], timeout = '15' } = values;
  const [file = '', more] = positionals;
  if (!help && (file === '' || more !== undefined))
    throw new CommandError('usage', 'name one file: mayfly interpolate pipeline.yml');
  return {
    ...{ help, file, job: values.job, output: values.output, grant: values.grant },
    whose: {
      team: values.team ?? env['BUILD_TEAM_NAME'],
      pipeline: values.pipeline ?? env['BUILD_PIPELINE_NAME'],
    },
    variables: Object.fromEntries(variables.map(nameAndValue)),
    keepsUnknown: values['keep-unknown'] === true,
    timeoutMs: parseSeconds(timeout) * 1000,
  };
}

function nameAndValue(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new CommandError('usage', '--var takes NAME=VALUE');
  return [text.slice(0, at), text.slice(at + 1)];
}

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  team: { type: 'string' },
  pipeline: { type: 'string' },
  job: { type: 'string' },
  output: { type: 'string', short: 'o' },
  grant: { type: 'string' },
  var: { type: 'string', multiple: true, short: 'v' },
  'keep-unknown': { type: 'boolean' },
  timeout: { type: 'string' },
} as const;
