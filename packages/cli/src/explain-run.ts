import { explain } from '@mayfly/trust/explain';
import type { Surroundings } from './command.ts';
import { parseOptions } from './command-line.ts';
import { CommandError, EXIT_CODES } from './exit-codes.ts';
import { explanationText } from './explain-text.ts';
import { BUILD_OPTIONS, printable, readBuild, told, wishOf } from './trust-inputs.ts';

/** Runs `mayfly explain`; gives its exit code. */
export async function runExplain(
  args: readonly string[],
  surroundings: Surroundings,
  help: string,
): Promise<number> {
  const { values, positionals } = parseOptions(args, BUILD_OPTIONS, 'mayfly explain --help');
  if (values.help) {
    surroundings.stdout.write(help);
    return 0;
  }
  if (positionals.length > 0)
    throw new CommandError(
      'usage',
      `${printable(positionals.join(' '))} means nothing here: name the event with --event FILE, see mayfly explain --help`,
    );
  return await told(async () => {
    const { deployment, event } = await readBuild(values, surroundings);
    const explanation = explain(deployment, event, wishOf(values), Math.floor(Date.now() / 1000));
    surroundings.stdout.write(
      values.json ? `${JSON.stringify(explanation, undefined, 2)}\n` : explanationText(explanation),
    );
    return explanation.audiences.every(({ allowed }) => allowed) ? 0 : EXIT_CODES.refused;
  });
}
