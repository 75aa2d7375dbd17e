import manifest from '../package.json' with { type: 'json' };
import { builds } from './builds.ts';
import type { Command, Surroundings } from './command.ts';
import { deadLetters } from './dead-letters.ts';
import { exec } from './exec.ts';
import { CommandError, EXIT_CODES } from './exit-codes.ts';
import { explain } from './explain.ts';
import { interpolate } from './interpolate.ts';
import { keys } from './keys.ts';
import { names } from './names.ts';
import { token } from './token.ts';
import { withInspect } from './token-inspect.ts';
import { trust } from './trust.ts';

/** Every subcommand, by its name. */
const COMMANDS: Readonly<Record<string, Command>> = {
  exec,
  token: withInspect(token),
  interpolate,
  keys,
  builds,
  'dead-letters': deadLetters,
  names,
  explain,
  trust,
};

const VERSION = `mayfly ${manifest.version}`;

const OVERVIEW = `mayfly: the identity of a build.

  mayfly COMMAND [ARGUMENTS]

Commands
${Object.entries(COMMANDS)
  .map(([name, { summary }]) => `  ${name.padEnd(14)}${summary}`)
  .join('\n')}

Exit codes
  ${EXIT_CODES.usage}    the command line is wrong
  ${EXIT_CODES.configuration}    the configuration is wrong or names what is not there, or there is no grant or an expired one
  ${EXIT_CODES.refused}    the issuer or Vault refused
  ${EXIT_CODES.unreachable}    the issuer or Vault cannot be reached, or cannot answer now
  ${EXIT_CODES.masking}    the output cannot be masked, or a leak in it could not be reported
  ${EXIT_CODES.notRun}  the command cannot be run
  ${EXIT_CODES.notFound}  the command is not there
  otherwise that of the command that was run; 128 + n where signal n ended it

mayfly COMMAND --help says all of one, mayfly --version which mayfly this is.

Examples
  mayfly exec -- ./deploy.sh
  mayfly token --audience https://vault.example
  mayfly exec --help
`;

/** Runs the command that `args` name; gives its exit code. What goes wrong is told in one line. */
export async function runCommand(args: readonly string[], surroundings: Surroundings): Promise<number> {
  try {
    return await dispatch(args, surroundings);
  } catch (error) {
    const known = error instanceof CommandError ? error : undefined;
    surroundings.stderr.write(
      `mayfly: ${known?.message ?? `something is wrong with mayfly itself: ${nameOf(error)}`}\n`,
    );
    return known ? EXIT_CODES[known.failure] : 1;
  }
}

async function dispatch(
  [name = '', ...rest]: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  if (['--version', '-V'].includes(name)) {
    surroundings.stdout.write(`${VERSION}\n`);
    return 0;
  }
  if (['--help', '-h', 'help'].includes(name)) {
    surroundings.stdout.write(OVERVIEW);
    return 0;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (!command) throw new CommandError('usage', `${name || 'nothing'} is no command: see mayfly --help`);
  return await command.run(rest, surroundings);
}

/** Not the message, which could quote anything. */
function nameOf(error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException;
  return code ?? name;
}
