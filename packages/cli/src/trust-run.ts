import { makeTrust } from '@mayfly/trust/make-trust';
import { TARGETS } from '@mayfly/trust/targets';
import type { TrustNames } from '@mayfly/trust/trust';
import type { Surroundings } from './command.ts';
import { parseOptions } from './command-line.ts';
import { CommandError } from './exit-codes.ts';
import { runTrustCheck } from './trust-check.ts';
import { BUILD_OPTIONS, readBuild, told, wishOf } from './trust-inputs.ts';
import { trustJson, trustText } from './trust-text.ts';

const NAMES = [
  'account',
  'partition',
  'app',
  'role',
  'project',
  'pool',
  'provider',
  'name',
  'mount',
  'policies',
] as const;

/** Options of `mayfly trust`, all of them. */
const OPTIONS = {
  ...BUILD_OPTIONS,
  token: { type: 'string' },
  ...(Object.fromEntries(NAMES.map((name) => [name, { type: 'string' }])) as Record<
    (typeof NAMES)[number],
    { type: 'string' }
  >),
} as const;

/** Runs `mayfly trust`; gives its exit code. */
export async function runTrust(
  args: readonly string[],
  surroundings: Surroundings,
  help: string,
): Promise<number> {
  const { values, positionals } = parseOptions(args, OPTIONS, 'mayfly trust --help');
  const [name = '', ...rest] = positionals;
  if (values.help) {
    surroundings.stdout.write(help);
    return 0;
  }
  if (name === 'check') return await told(() => runTrustCheck(rest, values, surroundings));
  const target = Object.hasOwn(TARGETS, name) ? TARGETS[name] : undefined;
  if (!target || rest.length > 0) {
    const known = [...Object.keys(TARGETS), 'check'].join(', ');
    throw new CommandError(
      'usage',
      `${positionals.join(' ') || 'nothing'} is none of ${known}: see mayfly trust --help`,
    );
  }
  return await told(async () => {
    const { deployment, event } = await readBuild(values, surroundings);
    const now = Math.floor(Date.now() / 1000);
    const made = makeTrust(target, deployment, event, wishOf(values), namesOf(values), now);
    surroundings.stdout.write(values.json ? trustJson(made) : trustText(made));
    return 0;
  });
}

function namesOf(values: Partial<Record<(typeof NAMES)[number], string | undefined>>): TrustNames {
  return Object.fromEntries(
    NAMES.flatMap((name) => (values[name] === undefined ? [] : [[name, values[name]]])),
  );
}
