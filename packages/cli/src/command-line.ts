import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { CommandError } from './exit-codes.ts';

/** Takes options and arguments; gives what they say. Throws a usage failure that names the help. */
export function parseOptions<O extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: O,
  help: string,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (cause) {
    throw new CommandError('usage', `${(cause as Error).message.split('. ')[0]}: see ${help}`, { cause });
  }
}

/** Takes a number of seconds as text; throws where it is none. */
export function parseSeconds(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new CommandError('usage', `${text} is no number of seconds`);
  return Number(text);
}
