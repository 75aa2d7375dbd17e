import { EVENT_NAMES } from '@mayfly/contracts/bus';
import type { Command } from './command.ts';
import { parseOptions } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import { askBuildLifecycle, OPERATOR_HELP, OPERATOR_OPTIONS } from './operator-options.ts';

const HELP = `End a build that runs, before its CI does: its tokens are inactive from then on.

  mayfly builds revoke ID --source SOURCE --reason TEXT [--attempt N]

Options
  --source SOURCE         the source that the build is of
  --attempt N             which try at the build; the one that runs if left out
  --reason TEXT           why, for the log
${OPERATOR_HELP}

Example
  mayfly builds revoke 4711 --source acme --reason 'its runner was taken over'
`;

/** `mayfly builds`: what an operator does with builds. */
export const builds: Command = {
  summary: 'end a build before its CI does',
  help: HELP,
  async run(args, { env, stdout }) {
    const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly builds --help');
    if (values.help) return print(stdout, HELP);
    const [verb, id, ...rest] = positionals;
    if (verb !== 'revoke' || !id || rest.length > 0) throw usage('say revoke and the id of one build');
    const { source, attempt, reason } = values;
    if (!source || !reason) throw usage('revoke needs --source and --reason');
    if (attempt !== undefined && !/^[1-9][0-9]{0,4}$/.test(attempt))
      throw usage('--attempt must be a whole number');
    const fields = { source, id, note: reason, ...(attempt ? { attempt: Number(attempt) } : {}) };
    const answer = await askBuildLifecycle(EVENT_NAMES.adminBuilds('revoke'), fields, values, env);
    const text = `build ${id} of ${source}, attempt ${answer['attempt']}, ends; its tokens are inactive from now on\n`;
    return print(stdout, values.json ? `${JSON.stringify(answer, undefined, 2)}\n` : text);
  },
};

function print(stdout: { write(text: string): unknown }, text: string): number {
  stdout.write(text);
  return 0;
}

const OPTIONS = {
  ...OPERATOR_OPTIONS,
  source: { type: 'string' },
  attempt: { type: 'string' },
  reason: { type: 'string' },
} as const;

function usage(message: string): CommandError {
  return new CommandError('usage', `${message}: see mayfly builds --help`);
}
